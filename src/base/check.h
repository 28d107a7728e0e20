// SPDX-License-Identifier: Apache-2.0
// INVARIANT: always-on test of our own invariants. Never for input from outside: that is a Result (error.h).
// A failed one prints the place, the condition and the message to stderr and aborts the process.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace sluice::base {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view message);

}  // namespace sluice::base

#define INVARIANT(condition, ...)                                                                  \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::sluice::base::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
