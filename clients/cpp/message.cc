// SPDX-License-Identifier: Apache-2.0
// Encoder and decoder of the AMQP 1.0 type system, as far as message sections need it (OASIS AMQP 1.0, part 1
// section 1.6 and part 3 section 3.2). The decoder is bounded by the input: lengths are checked before use
// and nesting is stepped over by size, never by recursion.
#include "client/message.h"

#include <bit>

namespace sluice::client {
namespace {

using base::ByteBuffer;
using base::ByteReader;
using base::ByteView;
using base::ByteWriter;
using base::Errc;
using base::fail;
using base::Result;

enum Section : std::uint8_t {
  header = 0x70,
  delivery_annotations = 0x71,
  message_annotations = 0x72,
  properties = 0x73,
  application_properties = 0x74,
  data = 0x75,
  footer = 0x78,
};

// --- encoding ---

void write_variable(ByteWriter& out, std::uint8_t code8, std::uint8_t code32, ByteView bytes) {
  if (bytes.size() < 256) {
    out.write(code8);
    out.write(static_cast<std::uint8_t>(bytes.size()));
  } else {
    out.write(code32);
    out.write(static_cast<std::uint32_t>(bytes.size()));
  }
  out.write_bytes(bytes);
}

struct ValueWriter {
  ByteWriter& out;
  void operator()(std::monostate) const { out.write<std::uint8_t>(0x40); }
  void operator()(bool value) const { out.write<std::uint8_t>(value ? 0x41 : 0x42); }
  void operator()(std::int64_t value) const {
    // As int wherever it fits: the JavaScript client knows no long.
    if (value >= -128 && value <= 127) {
      out.write<std::uint8_t>(0x54);
      out.write(static_cast<std::int8_t>(value));
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      out.write<std::uint8_t>(0x71);
      out.write(static_cast<std::int32_t>(value));
    } else {
      out.write<std::uint8_t>(0x81);
      out.write(value);
    }
  }
  void operator()(std::uint64_t value) const {
    if (value < 256) {
      out.write<std::uint8_t>(0x53);
      out.write(static_cast<std::uint8_t>(value));
    } else {
      out.write<std::uint8_t>(0x80);
      out.write(value);
    }
  }
  void operator()(std::uint32_t value) const {
    out.write<std::uint8_t>(0x70);
    out.write(value);
  }
  void operator()(double value) const {
    out.write<std::uint8_t>(0x82);
    out.write(std::bit_cast<std::uint64_t>(value));
  }
  void operator()(const std::string& value) const { write_variable(out, 0xa1, 0xb1, base::as_bytes(value)); }
  void operator()(const Symbol& value) const { write_variable(out, 0xa3, 0xb3, base::as_bytes(value.text)); }
  void operator()(const Timestamp& value) const {
    out.write<std::uint8_t>(0x83);
    out.write(value.unix_ms);
  }
  void operator()(const Binary& value) const { write_variable(out, 0xa0, 0xb0, value.bytes); }
  void operator()(const Value& value) const { std::visit(*this, value); }
  template <class T>
  void operator()(const std::optional<T>& value) const {
    if (value) {
      (*this)(*value);
    } else {
      (*this)(std::monostate{});
    }
  }
};

void write_section(ByteWriter& out, Section section) {
  out.write<std::uint8_t>(0x00);
  out.write<std::uint8_t>(0x53);
  out.write<std::uint8_t>(section);
}

// A list or map with 32-bit size and count; `fill` writes the elements and returns how many.
template <class Fill>
void write_compound(ByteWriter& out, std::uint8_t code, Fill fill) {
  out.write(code);
  const std::size_t at = out.size();
  out.write<std::uint32_t>(0);
  out.write<std::uint32_t>(0);
  const std::uint32_t count = fill();
  out.patch(at, static_cast<std::uint32_t>(out.size() - at - 4));
  out.patch(at + 4, count);
}

template <class Key>
void write_map(ByteWriter& out, const ValueMap& map) {
  write_compound(out, 0xd1, [&] {
    const ValueWriter write{out};
    for (const auto& [key, value] : map) {
      write(Key{key});
      write(value);
    }
    return static_cast<std::uint32_t>(2 * map.size());
  });
}

void write_properties(ByteWriter& out, const MessageProperties& p) {
  write_compound(out, 0xd0, [&] {
    const ValueWriter write{out};
    write(p.message_id);
    write(p.user_id);
    write(p.to);
    write(p.subject);
    write(p.reply_to);
    write(p.correlation_id);
    write(p.content_type);
    write(p.content_encoding);
    write(p.absolute_expiry_time);
    write(p.creation_time);
    write(p.group_id);
    write(p.group_sequence);
    write(p.reply_to_group_id);
    return std::uint32_t{13};
  });
}

// --- decoding ---

// Bytes that follow a constructor: the high half of the code says how many, or that a length says it.
ByteView read_payload(ByteReader& in, std::uint8_t code) {
  switch (code >> 4) {
    case 0x4:
      return {};
    case 0x5:
      return in.read_bytes(1);
    case 0x6:
      return in.read_bytes(2);
    case 0x7:
      return in.read_bytes(4);
    case 0x8:
      return in.read_bytes(8);
    case 0x9:
      return in.read_bytes(16);
    case 0xa:
    case 0xc:
    case 0xe:
      return in.read_bytes(in.read<std::uint8_t>());
    case 0xb:
    case 0xd:
    case 0xf:
      return in.read_bytes(in.read<std::uint32_t>());
    default:
      in.set_failed();
      return {};
  }
}

template <class T>
T load(ByteView bytes) {
  return base::load_be<T>(bytes.data());
}

Value read_value(ByteReader& in) {
  const auto code = in.read<std::uint8_t>();
  const ByteView payload = read_payload(in, code);
  if (!in.ok()) return {};
  switch (code) {
    case 0x41:
      return true;
    case 0x42:
      return false;
    case 0x56:
      return load<std::uint8_t>(payload) != 0;
    case 0x43:
    case 0x44:
      return std::uint64_t{0};
    case 0x50:
    case 0x52:
    case 0x53:
      return std::uint64_t{load<std::uint8_t>(payload)};
    case 0x60:
      return std::uint64_t{load<std::uint16_t>(payload)};
    case 0x70:
    case 0x73:
      return std::uint64_t{load<std::uint32_t>(payload)};
    case 0x80:
      return load<std::uint64_t>(payload);
    case 0x51:
    case 0x54:
    case 0x55:
      return std::int64_t{load<std::int8_t>(payload)};
    case 0x61:
      return std::int64_t{load<std::int16_t>(payload)};
    case 0x71:
      return std::int64_t{load<std::int32_t>(payload)};
    case 0x81:
      return load<std::int64_t>(payload);
    case 0x72:
      return double{std::bit_cast<float>(load<std::uint32_t>(payload))};
    case 0x82:
      return std::bit_cast<double>(load<std::uint64_t>(payload));
    case 0x83:
      return Timestamp{load<std::int64_t>(payload)};
    case 0xa0:
    case 0xb0:
    case 0x98:
      return Binary{ByteBuffer(payload.begin(), payload.end())};
    case 0xa1:
    case 0xb1:
      return std::string(base::as_text(payload));
    case 0xa3:
    case 0xb3:
      return Symbol{std::string(base::as_text(payload))};
    default:
      return {};
  }
}

// Opens a list or map: a reader over its elements and how many it claims (bounded by the input as they are
// read).
struct Compound {
  ByteReader elements{{}};
  std::uint32_t count = 0;
};
Compound read_compound(ByteReader& in, std::uint8_t code8, std::uint8_t code32) {
  const auto code = in.read<std::uint8_t>();
  if (code == 0x45 && code8 == 0xc0) return {};  // list0
  if (code != code8 && code != code32) {
    in.set_failed();
    return {};
  }
  ByteReader inside(read_payload(in, code));
  const std::uint32_t count = code == code8 ? inside.read<std::uint8_t>() : inside.read<std::uint32_t>();
  if (!inside.ok()) in.set_failed();
  return {inside, count};
}

std::string text_of(Value value) {
  if (auto* text = std::get_if<std::string>(&value)) return std::move(*text);
  if (auto* symbol = std::get_if<Symbol>(&value)) return std::move(symbol->text);
  return {};
}

ValueMap read_map(ByteReader& in) {
  Compound map = read_compound(in, 0xc1, 0xd1);
  ValueMap out;
  for (std::uint32_t i = 0; i + 1 < map.count && map.elements.ok(); i += 2) {
    std::string key = text_of(read_value(map.elements));
    Value value = read_value(map.elements);
    if (map.elements.ok()) out.emplace_back(std::move(key), std::move(value));
  }
  if (!map.elements.ok()) in.set_failed();
  return out;
}

class PropertiesReader {
 public:
  explicit PropertiesReader(Compound& list) : list_(list) {}
  void into(Value& field) {
    if (has_next()) field = read_value(list_.elements);
  }
  void into(std::optional<std::uint32_t>& field) {
    Value value;
    into(value);
    if (auto* number = std::get_if<std::uint64_t>(&value)) field = static_cast<std::uint32_t>(*number);
  }
  void into(std::optional<Symbol>& field) {
    Value value;
    into(value);
    if (!std::holds_alternative<std::monostate>(value)) field = Symbol{text_of(std::move(value))};
  }
  template <class T>
  void into(std::optional<T>& field) {
    Value value;
    into(value);
    if (auto* typed = std::get_if<T>(&value)) field = std::move(*typed);
  }

 private:
  bool has_next() { return list_.elements.ok() && next_++ < list_.count; }
  Compound& list_;
  std::uint32_t next_ = 0;
};

MessageProperties read_properties(ByteReader& in) {
  Compound list = read_compound(in, 0xc0, 0xd0);
  MessageProperties p;
  PropertiesReader read(list);
  read.into(p.message_id);
  read.into(p.user_id);
  read.into(p.to);
  read.into(p.subject);
  read.into(p.reply_to);
  read.into(p.correlation_id);
  read.into(p.content_type);
  read.into(p.content_encoding);
  read.into(p.absolute_expiry_time);
  read.into(p.creation_time);
  read.into(p.group_id);
  read.into(p.group_sequence);
  read.into(p.reply_to_group_id);
  if (!list.elements.ok()) in.set_failed();
  return p;
}

ByteView read_data(ByteReader& in) {
  const auto code = in.read<std::uint8_t>();
  if (code != 0xa0 && code != 0xb0) {
    in.set_failed();
    return {};
  }
  return read_payload(in, code);
}

// The code of the next section's descriptor (a smallulong or ulong), 0 and failed when there is none.
std::uint64_t read_descriptor(ByteReader& in) {
  if (in.read<std::uint8_t>() != 0x00) in.set_failed();
  const auto code = in.read<std::uint8_t>();
  if (code == 0x53) return in.read<std::uint8_t>();
  if (code == 0x80) return in.read<std::uint64_t>();
  in.set_failed();
  return 0;
}

}  // namespace

ByteBuffer encode_data(ByteView body) {
  ByteBuffer bytes;
  bytes.reserve(body.size() + 8);
  ByteWriter out(bytes);
  write_section(out, Section::data);
  write_variable(out, 0xa0, 0xb0, body);
  return bytes;
}

ByteBuffer encode(const Message& message) {
  ByteBuffer bytes;
  bytes.reserve(message.body.size() + 64);
  ByteWriter out(bytes);
  if (!message.annotations.empty()) {
    write_section(out, Section::message_annotations);
    write_map<Symbol>(out, message.annotations);
  }
  if (message.properties) {
    write_section(out, Section::properties);
    write_properties(out, *message.properties);
  }
  if (!message.application_properties.empty()) {
    write_section(out, Section::application_properties);
    write_map<std::string>(out, message.application_properties);
  }
  write_section(out, Section::data);
  write_variable(out, 0xa0, 0xb0, message.body);
  return bytes;
}

Result<Message> decode(ByteView bytes) {
  ByteReader in(bytes);
  Message message;
  while (in.ok() && !in.at_end()) {
    switch (read_descriptor(in)) {
      case Section::message_annotations:
        message.annotations = read_map(in);
        break;
      case Section::properties:
        message.properties = read_properties(in);
        break;
      case Section::application_properties:
        message.application_properties = read_map(in);
        break;
      case Section::data: {
        const ByteView body = read_data(in);  // several data sections are one body
        message.body.insert(message.body.end(), body.begin(), body.end());
        break;
      }
      case Section::header:
      case Section::delivery_annotations:
      case Section::footer: {
        const auto code = in.read<std::uint8_t>();
        read_payload(in, code);
        break;
      }
      default:
        in.set_failed();
    }
  }
  if (!in.ok()) return fail(Errc::malformed, "not an AMQP 1.0 message with a data body");
  return message;
}

Result<ByteView> data_of(ByteView bytes) {
  ByteReader in(bytes);
  while (in.ok() && !in.at_end()) {
    if (read_descriptor(in) == Section::data) {
      const ByteView body = read_data(in);
      if (in.ok()) return body;
      break;
    }
    const auto code = in.read<std::uint8_t>();
    read_payload(in, code);
  }
  return fail(Errc::malformed, "no AMQP 1.0 data section");
}

const Value* find(const ValueMap& map, std::string_view key) {
  for (const auto& [name, value] : map) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace sluice::client
