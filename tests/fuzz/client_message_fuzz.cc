// SPDX-License-Identifier: Apache-2.0
// Any bytes as the AMQP 1.0 message that the C++ client reads from a stream. What it reads, written again, is
// read as the same, and its body begins with what the short way to the body finds, its first section.
#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "client/message.h"

using namespace sluice;
using namespace sluice::client;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  const auto body = data_of(input);
  const auto message = decode(input);
  if (!message) return 0;
  const base::ByteBuffer written = encode(*message);
  const auto again = decode(written);
  INVARIANT(again, "own bytes refused");
  // Not the messages: a NaN is not equal to itself.
  INVARIANT(encode(*again) == written, "not the same again");
  INVARIANT(body || message->body.empty(), "a body that is not found");
  if (body)
    INVARIANT(std::ranges::equal(*body, message->body | std::views::take(body->size())), "two bodies");
  return 0;
}
