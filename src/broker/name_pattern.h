// SPDX-License-Identifier: Apache-2.0
// The door to PCRE2: regular expressions that users write, searched for in names of resources (policies,
// permissions).
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"

namespace sluice::broker {

// A user's regular expression, searched for in a name. Matching costs at most a bounded number of steps;
// above it counts as no match.
class NamePattern {
 public:
  static base::Result<NamePattern> compile(std::string_view pattern);
  bool matches(std::string_view name) const;

 private:
  struct Free {
    void operator()(void* code) const;
  };
  std::unique_ptr<void, Free> code_;
};

}  // namespace sluice::broker
