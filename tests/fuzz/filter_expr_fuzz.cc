// SPDX-License-Identifier: Apache-2.0
// The input is the text of an expression up to a newline, then a message body. A parsed expression has one
// outcome for a known message; what it says without the body includes that outcome; and it is never true
// outside of its candidate values.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "filters/expression.h"

using namespace sluice;
using namespace sluice::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const auto expression = Expression::parse(input.substr(0, end), "country");
  if (!expression) {
    INVARIANT(expression.error().code == base::Errc::precondition_failed, "{}", expression.error().text);
    return 0;
  }
  const base::ByteView body = base::as_bytes(end < size ? input.substr(end + 1) : std::string_view{});
  const auto candidates = expression->candidate_values();
  const std::uint8_t with_any = expression->evaluate(FilterValue::any()).mask;
  for (const std::string_view value : {"", "KR", "a", "x"}) {
    const FilterValue filter_value = FilterValue::of(value);
    const Outcome without_body = expression->evaluate(filter_value);
    const Outcome outcome = expression->evaluate(filter_value, body);
    INVARIANT(std::has_single_bit(outcome.mask), "outcome {}", outcome.mask);
    INVARIANT((outcome.mask & ~without_body.mask) == 0, "{} is not among {}", outcome.mask,
              without_body.mask);
    INVARIANT((outcome.mask & ~with_any) == 0, "{} is not among {}", outcome.mask, with_any);
    INVARIANT(!outcome.may_be_true() || value.empty() || !candidates ||
                  std::ranges::find(*candidates, value) != candidates->end(),
              "{} is no candidate", value);
  }
  return 0;
}
