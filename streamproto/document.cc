// SPDX-License-Identifier: Apache-2.0
#include "streamproto/document.h"

#include <fmt/format.h>

#include "streamproto/commands.h"
#include "streamproto/hex.h"

namespace sluice::streamproto {
namespace {

std::string_view direction_text(Direction direction) {
  switch (direction) {
    case Direction::client_to_server:
      return "C";
    case Direction::server_to_client:
      return "S";
    case Direction::both:
      return "C S";
  }
  return "";
}

template <class Field>
std::string field_notes(const Field& field) {
  std::string notes;
  if constexpr (detail::has_trait<Field, Optional>) notes += ", may be absent";
  if constexpr (detail::has_trait<Field, SinceVersion>) {
    notes += fmt::format(", since v{}", std::get<SinceVersion>(field.traits).version);
  }
  return notes;
}

template <Command T>
std::string field_list() {
  std::string text = T::info.correlated ? "correlation:uint32" : "";
  base::for_each_field_of<T>(
      [&]<class S, class M, class... Traits>(const base::Field<S, M, Traits...>& field) {
        text += fmt::format("{}{}:{}{}", text.empty() ? "" : " ", field.name, Codec<M>::type_name(),
                            field_notes(field));
      });
  return text.empty() ? "-" : "`" + text + "`";
}

constexpr std::string_view introduction = R"(# The native stream protocol, as Sluice speaks it

Made from `streamproto/commands/*.h` by `document.cc`; the test `unit_streamproto` compares it (`SLUICE_UPDATE=1` rewrites it).

A frame is `Size:uint32 Key:uint16 Version:uint16` and the fields below; Size does not count itself. All integers are
big-endian. `string` is uint16 length + UTF-8 (0xFFFF: null), `bytes` int32 length + bytes (-1: null), `[X]` int32 count + X.
The last array of a command is read to the end of the frame whatever its count says.

`from`: C client, S server. `versions` beyond 1 are negotiated by ExchangeCommandVersions.

| key | command | from | versions | fields | meaning |
| --- | --- | --- | --- | --- | --- |
)";

}  // namespace

std::string protocol_document() {
  std::string text(introduction);
  for_each_command(AllCommands{}, [&]<Command T>() {
    text += fmt::format("| 0x{:04x} | {} | {} | {} | {} | {}{} |\n", T::info.raw_key(), T::info.name,
                        direction_text(T::info.direction),
                        T::info.max_version == 1 ? "1" : fmt::format("1-{}", T::info.max_version),
                        field_list<T>(), T::info.response ? "codes " : "", T::info.doc);
  });
  text += "\n## Response codes\n\n| code | name |\n| --- | --- |\n";
  for (const ResponseCodeName& row : response_code_names) {
    text += fmt::format("| {} | {} |\n", static_cast<unsigned>(row.code), row.name);
  }
  text += "\n## Example frames\n\n| command | bytes |\n| --- | --- |\n";
  for_each_command(AllCommands{}, [&]<Command T>() {
    for (const std::string_view example : T::examples)
      text += fmt::format("| {} | `{}` |\n", T::info.name, example);
  });
  return text;
}

std::string example_lines() {
  std::string text;
  for_each_command(AllCommands{}, [&]<Command T>() {
    for (const std::string_view example : T::examples) {
      const ByteBuffer bytes = from_hex(example);
      text += fmt::format("{} {} {}\n", T::info.name, read_frame(bytes, 0).frame.version, to_hex(bytes));
    }
  });
  return text;
}

}  // namespace sluice::streamproto
