// SPDX-License-Identifier: Apache-2.0
// Every command of the list: its examples decode and encode back to the same bytes, no truncation of them
// decodes, and PROTOCOL.md and the golden file are what the list says. SLUICE_UPDATE=1 rewrites the two
// files.
#include <catch2/catch.hpp>
#include <set>

#include "streamproto/commands.h"
#include "streamproto/document.h"
#include "streamproto/hex.h"
#include "support/golden_file.h"

using namespace sluice;
using namespace sluice::streamproto;

namespace {

using test::compare_or_update;
using test::repository;

// Whether a command may end early: its last field is an array read to the end of the frame, may be absent, or
// is decoded by its user.
template <Command T>
bool has_open_end() {
  bool open = false;
  base::for_each_field_of<T>([&]<class S, class M, class... Traits>(const base::Field<S, M, Traits...>&) {
    open = (std::is_same_v<Traits, Trailing> || ...) || (std::is_same_v<Traits, Optional> || ...) ||
           std::is_same_v<M, PublishEntries>;
  });
  return open;
}

template <Command T>
ByteBuffer encoded(const Received<T>& received, std::uint16_t version) {
  ByteBuffer bytes;
  encode(received.message, received.correlation, bytes, version);
  return bytes;
}

// What dispatch() called its handler with. A function of its own, because a handler inside the loop over all
// commands would be compiled for every pair of commands.
struct Dispatched {
  bool known = false;
  std::string_view name;
  std::uint32_t correlation = 0;
};

Dispatched dispatched(const Frame& frame) {
  Dispatched seen;
  const auto handler = [&]<class M>(std::uint32_t correlation, const M&) {
    seen.name = M::info.name;
    seen.correlation = correlation;
  };
  seen.known = dispatch(AllCommands{}, frame, handler).has_value();
  return seen;
}

}  // namespace

TEST_CASE("every example decodes and encodes to the same bytes") {
  for_each_command(AllCommands{}, [&]<Command T>() {
    REQUIRE(T::examples.size() > 0);
    for (const std::string_view example : T::examples) {
      INFO(T::info.name << " " << example);
      const ByteBuffer bytes = from_hex(example);
      const FrameRead read = read_frame(bytes, 0);
      REQUIRE(read.status == FrameStatus::complete);
      CHECK(read.size_bytes == bytes.size());
      const auto received = decode<T>(read.frame);
      REQUIRE(received.has_value());
      CHECK(to_hex(encoded(*received, read.frame.version)) == to_hex(bytes));
      const Dispatched seen = dispatched(read.frame);
      CHECK(seen.known);
      CHECK(seen.name == T::info.name);
      CHECK(seen.correlation == received->correlation);
    }
  });
}

TEST_CASE("every truncation is refused or a legal shorter form") {
  for_each_command(AllCommands{}, [&]<Command T>() {
    for (const std::string_view example : T::examples) {
      const ByteBuffer bytes = from_hex(example);
      const Frame frame = read_frame(bytes, 0).frame;
      for (std::size_t size = 0; size < frame.body.size(); ++size) {
        const ByteBuffer exact(frame.body.begin(), frame.body.begin() + static_cast<std::ptrdiff_t>(size));
        const auto received = decode<T>(exact, frame.version);
        INFO(T::info.name << " cut to " << size << " of " << frame.body.size());
        if (received) {
          CHECK(has_open_end<T>());
          const ByteBuffer once = encoded(*received, frame.version);
          const auto again = decode<T>(read_frame(once, 0).frame);
          REQUIRE(again.has_value());
          CHECK(encoded(*again, frame.version) == once);
        }
        CHECK(read_frame(ByteView(bytes).first(frame_header_bytes + size), 0).status ==
              FrameStatus::need_more);
      }
    }
  });
}

TEST_CASE("bytes after a command without a trailing array are refused") {
  ByteBuffer bytes = from_hex(Credit::examples[0]);
  bytes.push_back(0);
  CHECK_FALSE(decode<Credit>(ByteView(bytes).subspan(frame_header_bytes)));
}

TEST_CASE("the count of a trailing array is ignored") {
  ByteBuffer bytes = from_hex(Metadata::examples[0]);
  base::store_be(bytes.data() + 12, std::uint32_t{77});
  const auto received = decode<Metadata>(read_frame(bytes, 0).frame);
  REQUIRE(received.has_value());
  CHECK(received->message.streams == std::vector<std::string_view>{"s", "t"});
}

TEST_CASE("a count that lies does not allocate") {
  const ByteBuffer bytes = from_hex("001D 0001 00000011 0002 7373 FFFFFFFF 0004 73732D30");
  CHECK_FALSE(decode<CreateSuperStream>(ByteView(bytes).subspan(4)));
}

TEST_CASE("fields come out where they belong") {
  const ByteBuffer subscribe = from_hex(Subscribe::examples[1]);
  const auto received = decode<Subscribe>(read_frame(subscribe, 0).frame);
  REQUIRE(received.has_value());
  CHECK(received->correlation == 4);
  CHECK(received->message.subscription_id == 1);
  CHECK(received->message.stream == "s");
  CHECK(received->message.offset_spec == OffsetSpec::at(100));
  CHECK(received->message.credit == 10);
  CHECK(find_property(received->message.properties, "name") == "app");
  CHECK(find_property(received->message.properties, "other").empty());

  const ByteBuffer plain = from_hex(SaslAuthenticate::examples[0]);
  const auto sasl = decode<SaslAuthenticate>(read_frame(plain, 0).frame);
  REQUIRE(sasl.has_value());
  REQUIRE(sasl->message.data.has_value());
  CHECK(base::as_text(*sasl->message.data) == std::string_view("\0guest\0guest", 12));
}

TEST_CASE("an unknown offset type, key or version is malformed") {
  CHECK_FALSE(decode<Subscribe>(from_hex("00000004 00 0001 73 0006 000A")));
  const ByteBuffer unknown = from_hex("00000004 0063 0001");
  CHECK_FALSE(dispatched(read_frame(unknown, 0).frame).known);
  const ByteBuffer version = from_hex("00000004 0017 0002");
  CHECK_FALSE(dispatched(read_frame(version, 0).frame).known);
}

TEST_CASE("frames are refused before their body arrives") {
  CHECK(read_frame(from_hex("00002001"), 8192).status == FrameStatus::too_large);
  CHECK(read_frame(from_hex("00002000"), 8192).status == FrameStatus::need_more);
  CHECK(read_frame(from_hex("80000000"), 0).status == FrameStatus::need_more);
  CHECK(read_frame(from_hex("00000003 0000 00"), 8192).status == FrameStatus::too_short);
  CHECK(read_frame(from_hex("000000"), 8192).status == FrameStatus::need_more);

  const ByteBuffer two = from_hex("00000004 0017 0001 00000004 0017 0001 0000");
  FrameReader reader(two, 8192);
  CHECK(reader.next().status == FrameStatus::complete);
  CHECK(reader.next().status == FrameStatus::complete);
  CHECK(reader.next().status == FrameStatus::need_more);
  CHECK(reader.consumed_bytes() == 16);
}

TEST_CASE("the server's version list is the documented one") {
  std::set<unsigned> keys;
  for (const CommandVersions& versions : server_command_versions()) {
    const auto key = static_cast<unsigned>(versions.key);
    keys.insert(key);
    CHECK(versions.min_version == 1);
    CHECK(versions.max_version == (key == 2 ? 2 : 1));
  }
  CHECK(keys == std::set<unsigned>{1, 2, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 22, 23, 24, 25, 28, 29, 30, 31});
  CHECK(server_command_versions().size() == keys.size());
}

TEST_CASE("PROTOCOL.md and the golden frames are fresh") {
  compare_or_update(repository() / "streamproto/PROTOCOL.md", protocol_document());
  compare_or_update(repository() / "tests/golden/stream_commands.txt", example_lines());
}

TEST_CASE("the fuzzer's seeds are the example frames") {
  const std::filesystem::path folder = repository() / "tests/fuzz/corpus/stream_frame";
  for_each_command(AllCommands{}, [&]<Command T>() {
    std::size_t number = 0;
    for (const std::string_view example : T::examples) {
      const std::string name = std::string(T::info.name) + "_" + std::to_string(number++);
      compare_or_update(folder / name, std::string(base::as_text(from_hex(example))));
    }
  });
}
