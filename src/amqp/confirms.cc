// SPDX-License-Identifier: Apache-2.0
#include "amqp/confirms.h"

#include <bit>

namespace sluice::amqp {

void Confirms::mark(std::uint64_t number) {
  if (number < first_unanswered_ || number >= next_) return;
  const std::uint64_t at = number - words_begin_;
  const std::size_t word = head_ + at / 64;
  if (word >= words_.size()) words_.resize(word + 1);
  const std::uint64_t bit = std::uint64_t{1} << (at % 64);
  if ((words_[word] & bit) != 0) return;
  words_[word] |= bit;
  ++answered_;
}

void Confirms::advance() {
  while (head_ < words_.size()) {
    const std::uint64_t at = first_unanswered_ - words_begin_;
    const auto run = static_cast<std::uint64_t>(std::countr_one(words_[head_] >> at));
    first_unanswered_ += run;
    if (at + run < 64) break;
    ++head_;
    words_begin_ += 64;
  }
  if (head_ == words_.size()) {
    words_.clear();
    head_ = 0;
  } else if (head_ > 16 && head_ > words_.size() / 2) {
    words_.erase(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace sluice::amqp
