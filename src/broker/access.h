// SPDX-License-Identifier: Apache-2.0
// Who may do what. AccessControl is what the broker asks; LocalAccess answers from the catalog (users,
// permissions) and the options (loopback users). Later backends (LDAP, OAuth 2) are further implementations.
// One per shard, reading that shard's catalog.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ports.h"
#include "broker/catalog.h"
#include "broker/metrics.h"
#include "broker/name_pattern.h"
#include "broker/options.h"
#include "broker/types.h"

namespace sluice::broker {

class AccessControl {
 public:
  virtual ~AccessControl() = default;
  // authentication_failed, loopback_only
  virtual base::Result<Identity> authenticate(const Credentials& credentials) const = 0;
  // vhost_access_refused
  virtual base::Result<> open_vhost(const Identity& identity, std::string_view vhost) const = 0;
  // access_refused
  virtual base::Result<> check(const Identity& identity, std::string_view vhost, Permission permission,
                               std::string_view resource) const = 0;
  // Whether check_topic() may refuse anything there: asked once, so that a message pays for it only where it
  // does.
  virtual bool restricts_topics(const Identity& identity, std::string_view vhost,
                                std::string_view exchange) const = 0;
  // access_refused. Of a topic exchange; write: publish, read: bind.
  virtual base::Result<> check_topic(const Identity& identity, std::string_view vhost,
                                     std::string_view exchange, Permission permission,
                                     std::string_view routing_key) const = 0;
};

class LocalAccess final : public AccessControl {
 public:
  LocalAccess(const Catalog& catalog, const BrokerOptions& options) : catalog_(catalog), options_(options) {}

  base::Result<Identity> authenticate(const Credentials& credentials) const override;
  base::Result<> open_vhost(const Identity& identity, std::string_view vhost) const override;
  base::Result<> check(const Identity& identity, std::string_view vhost, Permission permission,
                       std::string_view resource) const override;
  bool restricts_topics(const Identity& identity, std::string_view vhost,
                        std::string_view exchange) const override;
  base::Result<> check_topic(const Identity& identity, std::string_view vhost, std::string_view exchange,
                             Permission permission, std::string_view routing_key) const override;

 private:
  bool matches(std::string_view pattern, std::string_view resource) const;

  const Catalog& catalog_;
  const BrokerOptions& options_;
  mutable std::map<std::string, NamePattern, std::less<>> patterns_;  // compiled
};

// 4 bytes of salt, then SHA-256(salt, password): RabbitMQ's rabbit_password_hashing_sha256.
std::string hash_password(std::string_view password, std::uint32_t salt);

}  // namespace sluice::broker
