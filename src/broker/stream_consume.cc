// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_consume.h"

#include <fmt/format.h>

#include "base/erlang_text.h"
#include "broker/arguments.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

std::unexpected<Refusal> invalid_argument(std::string_view vhost, const ConsumeRequest& request,
                                          std::string_view name, const std::string& why) {
  return std::unexpected(
      Refusal{406, fmt::format("invalid arg '{}' for {}: {}", name, queue_text(vhost, request.queue), why)});
}

std::optional<OffsetSpec> to_offset(const base::FieldValue& value, std::int64_t now_ms) {
  OffsetSpec spec;
  if (const auto number = value.integer()) {
    spec.kind = *number < 0 ? OffsetSpec::Kind::first : OffsetSpec::Kind::offset;
    spec.offset = *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
    return spec;
  }
  if (const auto* time = value.as<base::FieldTimestamp>()) {
    constexpr std::uint64_t seconds_max = 1'000'000'000'000;
    spec.kind = OffsetSpec::Kind::timestamp;
    spec.timestamp_ms = static_cast<std::int64_t>(std::min(time->seconds, seconds_max)) * 1000;
    return spec;
  }
  const auto text = value.text();
  if (!text) return std::nullopt;
  if (*text == "first") {
    spec.kind = OffsetSpec::Kind::first;
  } else if (*text == "last") {
    spec.kind = OffsetSpec::Kind::last;
  } else if (*text == "next") {
    spec.kind = OffsetSpec::Kind::next;
  } else if (const auto age = to_age_ms(*text)) {
    spec.kind = OffsetSpec::Kind::timestamp;
    spec.timestamp_ms = std::max<std::int64_t>(0, now_ms - *age);
  } else {
    return std::nullopt;
  }
  return spec;
}

// A string, or an array of which the strings count.
void add_filters(const base::FieldValue& value, SubscribeRequest& to) {
  const auto add = [&](const base::FieldValue& each) {
    if (const auto text = each.text())
      to.properties.emplace_back(fmt::format("filter.{}", to.properties.size()), *text);
  };
  if (const auto* values = value.as<base::FieldArray>()) {
    for (const auto& each : *values) add(each);
  } else {
    add(value);
  }
}

Outcome<> check(std::string_view vhost, const ConsumeRequest& request, std::uint32_t channel_prefetch) {
  const std::string queue = queue_text(vhost, request.queue);
  for (const char* name : {"x-priority", "x-consumer-timeout"}) {
    if (!request.arguments.find(name)) continue;
    return std::unexpected(
        Refusal{406, fmt::format("invalid arg '{}' for {} of queue type rabbit_stream_queue", name, queue)});
  }
  if (request.prefetch == 0) {
    return std::unexpected(Refusal{406, "consumer prefetch count is not set for stream " + queue});
  }
  if (request.no_ack) {
    return std::unexpected(Refusal{540, "automatic acknowledgement not supported by stream " + queue, true});
  }
  if (channel_prefetch > 0)
    return std::unexpected(Refusal{540, queue + " does not support global qos", true});
  return {};
}

}  // namespace

Outcome<StreamConsume> to_stream_consume(std::string_view vhost, const ConsumeRequest& request,
                                         std::uint32_t channel_prefetch, std::int64_t now_ms) {
  TRY_VOID(check(vhost, request, channel_prefetch));
  StreamConsume consume;
  consume.request.vhost = vhost;
  consume.request.stream = request.queue;
  // Messages are looked at one by one anyway, so what is not wanted need not be sent.
  consume.request.properties.emplace_back("filter-mode", "exact");
  for (const auto& [name, value] : request.arguments.entries) {
    if (name == "x-stream-offset") {
      const auto offset = to_offset(value, now_ms);
      if (!offset) {
        return invalid_argument(vhost, request, name,
                                fmt::format("{{invalid_stream_offset_arg,{{{},{}}}}}", base::type_name(value),
                                            base::erlang_text(value)));
      }
      consume.request.offset = *offset;
    } else if (name == "x-stream-filter") {
      add_filters(value, consume.request);
    } else if (name == "x-stream-match-unfiltered") {
      const auto* truth = value.as<bool>();
      if (truth && *truth) consume.request.properties.emplace_back("match-unfiltered", "true");
    } else if (name == "x-stream-filter-expr" || name == "x-stream-filter-field") {
      const auto text = value.text();
      if (!text) return invalid_argument(vhost, request, name, "a string is wanted");
      consume.request.properties.emplace_back(name.substr(sizeof "x-stream-" - 1), *text);
    } else if (name == "x-stream-offset-tracking") {
      const auto text = value.text();
      if (!text || text->empty() || text->size() > name_bytes_max)
        return invalid_argument(vhost, request, name, "a name of 1 to 255 bytes is wanted");
      consume.tracking = *text;
    }
  }
  return consume;
}

}  // namespace sluice::broker
