// SPDX-License-Identifier: Apache-2.0
// Names that a server makes up (queues, consumer tags): 22 letters that carry 132 bits of chance, as many as
// RabbitMQ's have, so that two never meet and nobody guesses one. Called on the shard that owns `random`.
#pragma once

#include <string>
#include <string_view>

#include "base/ports.h"

namespace sluice::base {

// `prefix` and 22 characters out of [A-Za-z0-9_-].
inline std::string random_name(std::string_view prefix, Random& random) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr int characters = 22, characters_per_draw = 10;  // of 6 bits each
  std::string name(prefix);
  std::uint64_t chance = 0;
  for (int i = 0; i < characters; ++i, chance >>= 6) {
    if (i % characters_per_draw == 0) chance = random.next();
    name.push_back(alphabet[chance & 63]);
  }
  return name;
}

}  // namespace sluice::base
