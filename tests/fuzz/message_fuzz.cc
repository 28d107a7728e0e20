// SPDX-License-Identifier: Apache-2.0
// Any bytes as an AMQP 1.0 message, and as the properties of an AMQP 0-9-1 one: conversions end, give
// well-formed results, and a message that went there and back stays what it is from then on.
#include <algorithm>

#include "base/check.h"
#include "filters/amqp_sections.h"
#include "message/amqp10.h"

using namespace sluice;
using namespace sluice::message;

namespace {

struct Owned {
  base::ByteBuffer properties, body;
  bool operator==(const Owned&) const = default;
};

Owned to_basic(base::ByteView amqp10) {
  ToBasic converter;
  const auto result = converter.convert(amqp10, std::nullopt);
  const auto properties = decode_properties(result.message.properties);
  INVARIANT(properties, "properties that do not parse");
  return {{result.message.properties.begin(), result.message.properties.end()},
          {result.message.body.begin(), result.message.body.end()}};
}

base::ByteBuffer to_amqp10(const Owned& message, Keep keep) {
  base::ByteBuffer amqp10;
  append_amqp10({"exchange", "key", message.properties, message.body}, keep, amqp10);
  INVARIANT(!filters::AmqpSections::parse(amqp10).malformed, "sections that do not parse");
  return amqp10;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  // Any bytes as 1.0. What has two names in 1.0 has one in 0-9-1, so the second round may still reorder.
  const Owned first = to_basic(input);
  INVARIANT(to_basic(to_amqp10(first, Keep::everything)) == first, "what is kept comes back");
  const bool encoded = decode_properties(first.properties)->type == "amqp-1.0";
  const Owned second = to_basic(to_amqp10(first, Keep::convertible));
  const Owned third = to_basic(to_amqp10(second, Keep::convertible));
  INVARIANT(encoded || (second.body == first.body && third == second), "a round trip changes something");

  // Any bytes as properties of 0-9-1.
  const std::size_t half = size / 2;
  const Owned basic{{data, data + half}, {data + half, data + size}};
  const Owned back = to_basic(to_amqp10(basic, Keep::everything));
  if (decode_properties(basic.properties)) INVARIANT(back == basic, "what is kept comes back");
  to_basic(to_amqp10(basic, Keep::convertible));
  PropertiesEditor editor;
  if (editor.begin(basic.properties)) {
    for_each_sender_selected(editor.properties(), [](std::string_view) {});
    editor.remove_header("CC");
    editor.set_header("x-death", base::FieldArray{});
    base::ByteBuffer edited;
    editor.write(edited);
    INVARIANT(decode_properties(edited), "edited properties that do not parse");
  }
  return 0;
}
