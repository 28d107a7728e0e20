// SPDX-License-Identifier: Apache-2.0
// The policies of one shard with their patterns compiled: which applies to a resource, and what is in effect
// because of it (reference queues-and-amqp.md, section 6.2). Made again when a policy changes, and read by
// that shard only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "broker/catalog.h"
#include "broker/messaging.h"
#include "broker/name_pattern.h"
#include "broker/types.h"

namespace sluice::broker {

class Policies {
 public:
  void load(const Catalog& catalog);
  // The highest priority that matches (of equal ones the first by name); null: none.
  const PolicyRecord* of_queue(std::string_view kind, const QueueRecord& queue) const;
  const PolicyRecord* of_exchange(std::string_view kind, const ExchangeRecord& exchange) const;

  // Of both policies together; empty when none matches.
  base::FieldTable definition_of(const QueueRecord& queue) const;
  // The queue's arguments as the policies leave them.
  base::FieldTable effective_arguments(const QueueRecord& queue) const;
  std::string alternate_of(const ExchangeRecord& exchange) const;

 private:
  struct Compiled {
    PolicyRecord record;
    NamePattern pattern;
  };
  const PolicyRecord* find(std::string_view kind, std::string_view vhost, std::string_view name,
                           std::string_view apply_to, bool is_queue) const;
  std::vector<Compiled> all_;  // highest priority first
};

// The definition in effect from the user's policy and the operator's, either may be null.
base::FieldTable merge_definitions(const PolicyRecord* user, const PolicyRecord* operators);
// Arguments and definition of a queue: keys of the definition that its type does not know are left out; for
// numbers that limit the smaller wins, for all else the argument, but for streams the policy.
base::FieldTable merge_arguments(QueueType type, const base::FieldTable& arguments,
                                 const base::FieldTable& definition);

// 406 or malformed for a pattern, an apply-to, a key or a value that will not do.
base::Result<> check_policy(const PolicyRecord& policy);

}  // namespace sluice::broker
