// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stream of frames, as either end would read them. Nothing may crash; what decodes encodes to
// bytes that decode to the same again (once encoded, a command is in its canonical form). Seeds: the example
// frames of all commands, written by unit_streamproto with SLUICE_UPDATE=1.
#include "base/check.h"
#include "streamproto/commands.h"
#include "streamproto/hash_routing.h"

using namespace sluice;
using namespace sluice::streamproto;

namespace {

std::size_t read_all(Entries entries) {
  EntryView entry;
  std::size_t bytes = 0;
  while (entries.next(entry)) bytes += entry.bytes.size();
  return bytes;
}

void look_inside(const Publish& publish, std::size_t body_bytes) {
  PublishEntries entries = publish.entries;
  PublishedEntry entry;
  std::size_t bytes = 0;
  while (entries.next(entry)) bytes += 8 + entry.filter_value.size() + entry.entry.bytes.size();
  INVARIANT(bytes <= body_bytes, "{} of {}", bytes, body_bytes);
}

void look_inside(const Deliver& deliver, std::size_t body_bytes) {
  INVARIANT(read_all(deliver.chunk.entries()) <= body_bytes, "more than {}", body_bytes);
  Entries entries = deliver.chunk.entries();
  EntryView entry;
  while (entries.next(entry)) {
    if (entry.is_sub_batch) INVARIANT(read_all(Entries(entry.data)) <= entry.data.size(), "sub-batch");
  }
}

template <class T>
void look_inside(const T&, std::size_t) {}

void check_frame(const Frame& frame) {
  (void)dispatch(AllCommands{}, frame, [&]<Command T>(std::uint32_t correlation, const T& message) {
    ByteBuffer once;
    encode(message, correlation, once, frame.version);
    const FrameRead read = read_frame(once, 0);
    INVARIANT(read.status == FrameStatus::complete && read.size_bytes == once.size(), "{}", T::info.name);
    const auto again = decode<T>(read.frame);
    INVARIANT(again.has_value(), "{}", T::info.name);
    ByteBuffer twice;
    encode(again->message, again->correlation, twice, frame.version);
    INVARIANT(once == twice, "{}", T::info.name);
    look_inside(message, frame.body.size());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  FrameReader reader(input, 1 << 20);
  for (FrameRead read = reader.next(); read.status == FrameStatus::complete; read = reader.next()) {
    check_frame(read.frame);
  }
  // What is left may still be a body: try it as every command, without the luck of guessing size and key.
  const ByteView rest = input.subspan(reader.consumed_bytes());
  if (rest.size() >= 2) {
    const auto key = static_cast<std::uint16_t>((rest[0] & 0x1F) | ((rest[0] & 0x80) << 8));
    check_frame({key, static_cast<std::uint16_t>(1 + (rest[1] & 1)), rest.subspan(2)});
  }
  (void)murmur3_x86_32(input, routing_seed);
  return 0;
}
