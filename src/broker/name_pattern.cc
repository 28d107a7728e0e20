// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "broker/name_pattern.h"

#include <fmt/format.h>
#include <pcre2.h>

namespace sluice::broker {
namespace {

constexpr std::uint32_t match_steps_max = 100'000;

struct MatchTools {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  MatchTools() {
    pcre2_set_match_limit(context, match_steps_max);
    pcre2_set_depth_limit(context, match_steps_max);
  }
  ~MatchTools() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
  MatchTools(const MatchTools&) = delete;
  MatchTools& operator=(const MatchTools&) = delete;
};

}  // namespace

void NamePattern::Free::operator()(void* code) const {
  pcre2_code_free(static_cast<pcre2_code*>(code));
}

base::Result<NamePattern> NamePattern::compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  auto* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &error, &at, nullptr);
  if (!code) {
    PCRE2_UCHAR text[128] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("pattern should be regular expression but is invalid: {{\"{}\",{}}}",
                                  reinterpret_cast<const char*>(text), at));
  }
  NamePattern made;
  made.code_.reset(code);
  return made;
}

bool NamePattern::matches(std::string_view name) const {
  thread_local MatchTools tools;
  return pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(name.data()),
                     name.size(), 0, 0, tools.data, tools.context) >= 0;
}

}  // namespace sluice::broker
