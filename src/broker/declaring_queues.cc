// SPDX-License-Identifier: Apache-2.0
// Queues.
#include <fmt/format.h>

#include "base/random_name.h"
#include "broker/arguments.h"
#include "broker/declaring.h"
#include "broker/equivalence.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

constexpr std::string_view type_key = "x-queue-type", dead_letter_key = "x-dead-letter-exchange",
                           prefix_key = "x-name-prefix";
constexpr std::size_t prefix_bytes_max = 64;

// What a name that the server makes up begins with.
base::Result<std::string> name_prefix(const QueueSpec& spec) {
  const auto* wanted = spec.arguments.find(prefix_key);
  const auto text = wanted ? wanted->text().value_or(std::string_view{}) : std::string_view{};
  if (text.empty()) return "amq.gen";
  if (text.size() <= prefix_bytes_max) return strip_line_ends(text);
  return precondition(
      fmt::format("Queue name prefix '{}' exceeds the {}-byte limit", text, prefix_bytes_max));
}

base::Result<> check_access(const QueueRecord& queue, const Caller& caller) {
  if (!queue.exclusive() || queue.exclusive_owner == caller.client.value) return {};
  return queue_locked(queue.vhost, queue.name);
}

}  // namespace

// The type a declaration asks for, written into its arguments when it is a default's.
base::Result<std::string> Declaring::choose_type(const Caller& caller, QueueSpec& spec, bool durable) const {
  if (const auto* wanted = spec.arguments.find(type_key)) {
    const auto wrong = [&](const std::string& why) {
      return precondition(
          fmt::format("invalid arg '{}' for {}: {}", type_key, queue_text(caller.vhost, spec.name), why));
    };
    const auto* word = wanted->as<std::string>();
    if (!word) return wrong(fmt::format("{{unacceptable_type,{}}}", base::type_name(*wanted)));
    if (!is_queue_type(*word)) return wrong(fmt::format("\"unsupported queue type '{}'\"", *word));
    return *word;
  }
  const auto* vhost = catalog().vhost(caller.vhost);
  std::string type = vhost ? vhost->default_queue_type : "";
  if (type.empty()) type = broker_.options().default_queue_type;
  const bool suits = durable && !spec.exclusive && !spec.auto_delete;
  if (!suits || !is_queue_type(type)) type = "classic";
  spec.arguments.set(type_key, type);
  return type;
}

base::Result<QueueRecord> Declaring::to_record(const Caller& caller, QueueSpec& spec) {
  QueueRecord record;
  record.durable = spec.durable && !spec.exclusive;
  TRY(type, choose_type(caller, spec, record.durable));
  if (spec.name.empty()) {
    if (type != "classic") {
      return precondition(fmt::format("Cannot declare a server-named queue for type rabbit_{}_queue", type));
    }
    TRY(prefix, name_prefix(spec));
    spec.name = base::random_name(prefix + '-', shard_.random);
  }
  spec.arguments.remove(prefix_key);
  TRY_VOID(check_right(caller, Permission::configure, true, spec.name));
  record.vhost = caller.vhost;
  record.name = spec.name;
  record.type = type;
  record.owner = caller.identity.user;
  record.created_at_ms = shard_.clock.wall_ms();
  record.auto_delete = spec.auto_delete;
  record.table_arguments = std::move(spec.arguments);
  record.exclusive_owner = spec.exclusive ? caller.client.value : 0;
  return record;
}

base::Result<> Declaring::check_new_queue(const Caller& caller, QueueRecord& record) const {
  const auto resource = queue_text(record.vhost, record.name);
  const auto& arguments = record.table_arguments;
  if (const auto* target = arguments.find(dead_letter_key)) {
    if (!target->as<std::string>()) {
      return precondition(fmt::format("invalid type '{}' for arg '{}' in {}", base::type_name(*target),
                                      dead_letter_key, resource));
    }
    TRY_VOID(check_right(caller, Permission::read, true, record.name));
    TRY_VOID(check_right(caller, Permission::write, false, *target->as<std::string>()));
  }
  TRY_VOID(check_queue_arguments(record.vhost, record.name, queue_type_of(record.type), arguments));
  if (record.type == "classic") return {};
  if (record.auto_delete) return precondition("invalid property 'auto-delete' for " + resource);
  if (record.exclusive()) return precondition("invalid property 'exclusive-owner' for " + resource);
  if (!record.durable) return precondition("invalid property 'non-durable' for " + resource);
  if (record.is_stream()) {
    TRY(kept, normalise_arguments(to_stream_arguments(arguments)));
    record.arguments = std::move(kept);
  }
  return {};
}

void Declaring::ask_counts(const QueueRecord& queue, bool touch, std::move_only_function<void(Counts)> done) {
  const auto log = queue.log();
  const bool is_stream = queue.is_stream();
  broker_.ask_shard(broker_.owner_of(log), [home = shard_.id, log, is_stream, touch,
                                            done = std::move(done)](ShardBroker& there) mutable {
    Counts counts;
    if (is_stream) {
      const auto held = there.owner().counts(log);
      counts = {held.messages, held.readers};
    } else if (there.shard_messaging().owner().is_open()) {
      auto& queues = there.shard_messaging().owner().queues();
      const base::QueueId id{log.value};
      if (const auto stats = queues.stats(id)) counts = {stats->ready, stats->consumers};
      if (touch) queues.touch(id);
    }
    there.ask_shard(home, [done = std::move(done), counts](ShardBroker&) mutable { done(counts); });
  });
}

void Declaring::answer_status(const QueueRecord& queue, Answer<QueueStatus> answer) {
  QueueStatus status{queue.name, queue_type_of(queue.type), 0, 0};
  // A queue that RabbitMQ calls quorum does not live longer for being declared again.
  const bool touch = queue.type == "classic";
  // and counts only the consumer that is active, where one is.
  const auto consumers_max =
      queue.type == "quorum" && is_single_active(queue.table_arguments) ? 1U : UINT32_MAX;
  ask_counts(queue, touch,
             [consumers_max, status = std::move(status), answer = std::move(answer)](Counts counts) mutable {
               status.messages_ready = counts.messages;
               status.consumers = std::min<std::uint32_t>(counts.consumers, consumers_max);
               answer(std::move(status));
             });
}

void Declaring::declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) {
  const auto refuse = [&](const base::Error& error) { answer(std::unexpected(to_refusal(error))); };
  spec.name = strip_line_ends(spec.name);
  if (spec.passive) {
    if (auto allowed = check_any_right(caller, true, spec.name); !allowed) return refuse(allowed.error());
    const auto* found = catalog().queue(caller.vhost, spec.name);
    if (!found) return refuse(no_such_queue(caller.vhost, spec.name).error());
    if (auto mine = check_access(*found, caller); !mine) return refuse(mine.error());
    return answer_status(*found, std::move(answer));
  }
  const bool named_here = spec.name.empty();
  auto record = to_record(caller, spec);
  if (!record) return refuse(record.error());
  if (const auto* found = catalog().queue(caller.vhost, record->name)) {
    const bool relaxed =
        broker_.options().quorum_redeclared_relaxed && found->type == "quorum" && record->type == "classic";
    const auto same = relaxed ? check_relaxed(*found, *record) : check_equivalent(*found, *record);
    if (!same) return refuse(same.error());
    return answer_status(*found, std::move(answer));
  }
  if (record->name.starts_with("amq.") && !named_here) {
    return refuse({base::Errc::access_refused,
                   fmt::format("queue name '{}' contains reserved prefix 'amq.*'", record->name)});
  }
  if (auto fits = check_new_queue(caller, *record); !fits) return refuse(fits.error());

  QueueStatus status{record->name, queue_type_of(record->type), 0, 0};
  send(DeclareQueue{std::move(*record), broker_.options().queue_limit},
       [status = std::move(status), answer = std::move(answer)](Outcome<> outcome) mutable {
         if (outcome) {
           answer(std::move(status));
         } else {
           answer(std::unexpected(std::move(outcome).error()));
         }
       });
}

void Declaring::delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                             Answer<std::uint64_t> answer) {
  const auto refuse = [&](const base::Error& error) { answer(std::unexpected(to_refusal(error))); };
  name = strip_line_ends(name);
  if (auto allowed = check_right(caller, Permission::configure, true, name); !allowed) {
    return refuse(allowed.error());
  }
  const auto* found = catalog().queue(caller.vhost, name);
  if (!found) return answer(0);
  if (auto mine = check_access(*found, caller); !mine) return refuse(mine.error());
  const bool is_stream = found->is_stream();
  DeleteQueue command{found->vhost, found->name, found->log_id};
  ask_counts(*found, false,
             [this, if_unused, if_empty, is_stream, command = std::move(command),
              answer = std::move(answer)](Counts counts) mutable {
               const auto resource = queue_text(command.vhost, command.name);
               if (if_unused && !is_stream && counts.consumers > 0) {
                 return answer(std::unexpected(Refusal{406, resource + " in use"}));
               }
               if (if_empty && !is_stream && counts.messages > 0) {
                 return answer(std::unexpected(Refusal{406, resource + " not empty"}));
               }
               const auto count = is_stream ? 0 : counts.messages;
               send(std::move(command), [count, answer = std::move(answer)](Outcome<> outcome) mutable {
                 if (outcome) {
                   answer(count);
                 } else {
                   answer(std::unexpected(std::move(outcome).error()));
                 }
               });
             });
}

}  // namespace sluice::broker
