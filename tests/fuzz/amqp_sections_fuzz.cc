// SPDX-License-Identifier: Apache-2.0
// Any bytes as an AMQP 1.0 message: no crash, every view stays inside the message, and a walk over a section
// ends.
#include "base/check.h"
#include "filters/amqp_sections.h"

using namespace sluice;
using namespace sluice::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView message(data, size);
  const auto inside = [&](std::string_view text) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(text.data());
    INVARIANT(text.empty() || (begin >= data && begin + text.size() <= data + size), "a view outside");
  };
  const AmqpSections sections = AmqpSections::parse(message);
  for (std::size_t i = 0; i < amqp_property_count; ++i)
    inside(sections.property(static_cast<AmqpProperty>(i)).text);
  for (const base::ByteView map :
       {sections.application_properties, sections.message_annotations, sections.delivery_annotations}) {
    inside(base::as_text(map));
    AmqpMapCursor cursor(map);
    AmqpValue key;
    AmqpValue value;
    for (std::size_t pairs = 0; cursor.next(key, value); ++pairs) {
      inside(key.text);
      inside(value.text);
      INVARIANT(pairs <= map.size(), "more pairs than bytes");
    }
  }
  sections.application_property("country");
  return 0;
}
