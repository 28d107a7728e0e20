// SPDX-License-Identifier: Apache-2.0
// Any bytes as AMQP 0-9-1 frames: frames, methods, content headers and field tables. What decodes is written
// again to something that decodes to the same; tables keep their size. Nothing reads past its end.
#include "amqp/wire/content.h"
#include "amqp/wire/methods.h"
#include "base/check.h"
#include "message/properties.h"

using namespace sluice;
using namespace sluice::amqp::wire;

namespace {

void check_table(base::ByteView bytes) {
  const base::FieldTableView view(bytes);
  const auto table = base::decode_field_table(bytes);
  INVARIANT(table.has_value() == view.well_formed(), "decoding and walking disagree");
  if (!table) return;
  base::ByteBuffer again;
  base::ByteWriter writer(again);
  base::write_field_table(writer, *table);
  // A bool may come as any byte and goes as 0 or 1; but for that, nothing changes.
  INVARIANT(again.size() == bytes.size() + 4, "a table changed");
  const auto reread = base::decode_field_table(base::ByteView(again).subspan(4));
  INVARIANT(reread.has_value(), "what was written does not decode");
  base::ByteBuffer twice;
  base::ByteWriter rewriter(twice);
  base::write_field_table(rewriter, *reread);
  INVARIANT(again == twice, "a table changed");
  for (const auto& [key, value] : table->entries) {
    INVARIANT(view.contains(key), "a key is lost");
    static_cast<void>(base::to_text(value));
  }
}

void check_method(base::ByteView payload) {
  if (payload.size() < 4) return;
  const MethodId id{base::load_be<std::uint16_t>(payload.data()),
                    base::load_be<std::uint16_t>(payload.data() + 2)};
  Methods::dispatch(
      id, payload.subspan(4),
      [&]<class M>(const M& method) {
        base::ByteBuffer once, twice;
        encode(method, once);
        const auto again = decode<M>(once);
        INVARIANT(again.has_value(), "what was written does not decode");
        encode(*again, twice);
        INVARIANT(once == twice, "a method changed");
        base::for_each_field(method, [](const auto&, const auto& member) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, base::FieldTableView>) {
            check_table(member.bytes());
          }
        });
      },
      [](const base::Error&) {});
}

void check_header(base::ByteView payload) {
  const auto header = decode_content_header(payload);
  if (!header) return;
  const auto properties = message::decode_properties(header->properties);
  if (!properties) return;
  base::ByteBuffer again;
  message::encode_properties(*properties, again);
  INVARIANT(message::decode_properties(again).has_value(), "properties changed");
  static_cast<void>(message::expiration_ms(*properties));
  static_cast<void>(message::for_each_sender_selected(*properties, [](std::string_view) {}));
  if (properties->headers) check_table(properties->headers->bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  FrameReader reader(input);
  Frame frame;
  while (reader.next(8'192, frame) == FrameReader::Status::frame) {
    if (frame.type == FrameType::method) check_method(frame.payload);
    if (frame.type == FrameType::header) check_header(frame.payload);
  }
  INVARIANT(reader.used_bytes() <= size, "{} of {}", reader.used_bytes(), size);
  check_table(input);
  return 0;
}
