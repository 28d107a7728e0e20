// SPDX-License-Identifier: Apache-2.0
#include "stream/convert.h"

namespace sluice::stream {

using streamproto::OffsetType;

broker::OffsetSpec to_broker(const streamproto::OffsetSpec& spec) {
  using Kind = broker::OffsetSpec::Kind;
  switch (spec.type) {
    case OffsetType::first:
      return {Kind::first, 0, 0};
    case OffsetType::last:
      return {Kind::last, 0, 0};
    case OffsetType::offset:
      return {Kind::offset, spec.value, 0};
    case OffsetType::timestamp:
      return {Kind::timestamp, 0, static_cast<std::int64_t>(spec.value)};
    case OffsetType::none:
    case OffsetType::next:
      break;
  }
  return {Kind::next, 0, 0};
}

std::vector<std::pair<std::string, std::string>> to_strings(const streamproto::Properties& properties) {
  std::vector<std::pair<std::string, std::string>> strings;
  strings.reserve(properties.size());
  for (const auto& property : properties) strings.emplace_back(property.key, property.value);
  return strings;
}

broker::StreamArguments to_arguments(const streamproto::Properties& properties) {
  broker::StreamArguments arguments;
  for (const auto& property : properties)
    arguments.insert_or_assign(std::string(property.key), property.value);
  return arguments;
}

bool is_single_active(const streamproto::Properties& properties) {
  return find_property(properties, "single-active-consumer") == "true";
}

broker::SubscribeRequest subscribe_request(std::string_view vhost, std::string_view stream,
                                           const streamproto::OffsetSpec& spec,
                                           const streamproto::Properties& properties, std::uint32_t credit) {
  broker::SubscribeRequest request;
  request.vhost = vhost;
  request.stream = stream;
  request.offset = to_broker(spec);
  request.name = find_property(properties, "name");
  request.single_active = is_single_active(properties);
  request.super_stream = find_property(properties, "super-stream");
  request.properties = to_strings(properties);
  request.initial_credit = credit;
  return request;
}

}  // namespace sluice::stream
