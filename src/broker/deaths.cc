// SPDX-License-Identifier: Apache-2.0
#include "broker/deaths.h"

#include <algorithm>

namespace sluice::broker {
namespace {

constexpr std::size_t deaths_max = 1000;  // kept in the header; the oldest are forgotten

std::string text_of(const base::FieldTable& table, std::string_view name) {
  const auto* value = table.find(name);
  return value ? std::string(value->text().value_or(std::string_view{})) : std::string();
}

Death read_death(const base::FieldTable& table) {
  Death death{text_of(table, "queue"), text_of(table, "reason"), text_of(table, "exchange"), 1, 0, {}, {}};
  for (const auto& [key, value] : table.entries) {
    if (key == "count") {
      death.count = value.integer().value_or(1);
    } else if (key == "time") {
      if (const auto* time = value.as<base::FieldTimestamp>()) death.time_s = time->seconds;
    } else if (key == "original-expiration") {
      death.original_expiration = std::string(value.text().value_or(std::string_view{}));
    } else if (key == "routing-keys") {
      const auto* keys = value.as<base::FieldArray>();
      if (!keys) continue;
      for (const auto& each : *keys) {
        if (const auto text = each.text()) death.routing_keys.emplace_back(*text);
      }
    }
  }
  return death;
}

std::vector<Death> read_deaths(const message::BasicProperties& properties) {
  std::vector<Death> deaths;
  if (!properties.headers) return deaths;
  const auto header = properties.headers->find("x-death");
  const auto* list = header ? header->as<base::FieldArray>() : nullptr;
  if (!list) return deaths;
  for (const auto& each : *list) {
    if (const auto* table = each.as<base::FieldTable>()) deaths.push_back(read_death(*table));
  }
  return deaths;
}

base::FieldValue to_value(const std::vector<Death>& deaths) {
  base::FieldArray list;
  for (const auto& death : deaths) {
    base::FieldTable table;
    table.entries.emplace_back("count", death.count);
    table.entries.emplace_back("reason", death.reason);
    table.entries.emplace_back("queue", death.queue);
    table.entries.emplace_back("time", base::FieldTimestamp{death.time_s});
    table.entries.emplace_back("exchange", death.exchange);
    if (death.original_expiration) {
      table.entries.emplace_back("original-expiration", *death.original_expiration);
    }
    base::FieldArray keys;
    for (const auto& key : death.routing_keys) keys.emplace_back(key);
    table.entries.emplace_back("routing-keys", std::move(keys));
    list.emplace_back(std::move(table));
  }
  return list;
}

// A repeated death counts up and moves to the front; the rest of what it says is of the first time.
void add_death(std::vector<Death>& deaths, const DeathEvent& event,
               const message::BasicProperties& properties) {
  const auto reason = to_text(event.reason);
  const auto at = std::ranges::find_if(
      deaths, [&](const Death& each) { return each.queue == event.queue && each.reason == reason; });
  if (at != deaths.end()) {
    ++at->count;
    std::rotate(deaths.begin(), at, at + 1);
    return;
  }
  Death death{std::string(event.queue),
              std::string(reason),
              std::string(event.exchange),
              1,
              static_cast<std::uint64_t>(event.wall_ms / 1000),
              {std::string(event.routing_key)},
              {}};
  // Those of CC, not those of BCC.
  const auto more = properties.headers ? properties.headers->find("CC") : std::nullopt;
  if (const auto* list = more ? more->as<base::FieldArray>() : nullptr) {
    for (const auto& each : *list) {
      if (const auto text = each.text()) death.routing_keys.emplace_back(*text);
    }
  }
  if (properties.expiration) death.original_expiration = std::string(*properties.expiration);
  deaths.insert(deaths.begin(), std::move(death));
  if (deaths.size() > deaths_max) deaths.pop_back();
}

}  // namespace

std::string_view to_text(queue::DeadReason reason) {
  switch (reason) {
    case queue::DeadReason::rejected:
      return "rejected";
    case queue::DeadReason::expired:
      return "expired";
    case queue::DeadReason::maxlen:
      return "maxlen";
    case queue::DeadReason::delivery_limit:
      return "delivery_limit";
  }
  return "rejected";
}

base::Result<> write_deaths(message::PropertiesEditor& editor, base::ByteView properties,
                            const DeathEvent& event, std::vector<Death>& deaths, base::ByteBuffer& into) {
  TRY_VOID(editor.begin(properties));
  auto& edited = editor.properties();
  deaths.clear();
  if (event.known_before) deaths = read_deaths(edited);
  const bool first = deaths.empty();
  add_death(deaths, event, edited);
  const auto reason = to_text(event.reason);
  editor.set_header("x-death", to_value(deaths));
  const auto put = [&](std::string_view queue, std::string_view why, std::string_view exchange) {
    editor.set_header(queue, std::string_view(event.queue));
    editor.set_header(why, reason);
    editor.set_header(exchange, std::string_view(event.exchange));
  };
  if (first) put("x-first-death-queue", "x-first-death-reason", "x-first-death-exchange");
  put("x-last-death-queue", "x-last-death-reason", "x-last-death-exchange");
  if (event.drop_sender_selected) {
    editor.remove_header("CC");
    editor.remove_header("BCC");
  }
  edited.expiration.reset();
  editor.write(into);
  return {};
}

bool is_cycle(const std::vector<Death>& deaths, std::string_view queue) {
  for (const auto& death : deaths) {
    if (death.reason == "rejected") return false;
    if (death.queue == queue) return true;
  }
  return false;
}

}  // namespace sluice::broker
