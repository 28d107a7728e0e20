// SPDX-License-Identifier: Apache-2.0
// The arguments of queues, by type: which are known, what values they take, with RabbitMQ's texts (reference
// queues-and-amqp.md, section 6.1). Pure; the shard that got a declaration checks with it.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "base/field_table.h"
#include "broker/messaging.h"
#include "broker/types.h"

namespace sluice::broker {

// classic for a word that is none of the three.
QueueType queue_type_of(std::string_view word);
bool is_queue_type(std::string_view word);
bool is_single_active(const base::FieldTable& arguments);
std::string_view to_word(QueueType type);

// Arguments that count when a queue of the type is declared again.
std::span<const std::string_view> known_arguments(QueueType type);

// 406 for a value its argument does not take, or for an argument of another type of queue. Arguments nobody
// knows pass.
base::Result<> check_queue_arguments(std::string_view vhost, std::string_view name, QueueType type,
                                     const base::FieldTable& arguments);

// A stream's arguments in the stream protocol's form (unchecked), and back.
StreamArguments to_stream_arguments(const base::FieldTable& arguments);
base::FieldTable to_table_arguments(const StreamArguments& arguments);

}  // namespace sluice::broker
