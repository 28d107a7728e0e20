// SPDX-License-Identifier: Apache-2.0
// Confirm numbers of one channel: which are given out and which are answered, so that answers go out with
// `multiple` where everything below is answered, too. Pure; a bit per number between the oldest unanswered
// one and the newest.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::amqp {

class Confirms {
 public:
  std::uint64_t take() { return next_++; }
  std::uint64_t outstanding() const { return next_ - 1 - answered_; }

  // Marks the numbers as answered and calls send(number, multiple) for each basic.ack or basic.nack that
  // tells so. Numbers are ascending and were not answered before; others are ignored.
  template <class F>
  void answer(std::span<const std::uint64_t> numbers, F&& send) {
    for (const std::uint64_t number : numbers) mark(number);
    advance();
    // One answer for all that have nothing unanswered below them, single ones for the rest.
    std::size_t below = 0;
    while (below < numbers.size() && numbers[below] < first_unanswered_) ++below;
    if (below > 0) send(numbers[below - 1], below > 1);
    for (const std::uint64_t number : numbers.subspan(below)) {
      if (number < next_) send(number, false);
    }
  }

 private:
  void mark(std::uint64_t number);
  void advance();

  std::uint64_t next_ = 1;
  std::uint64_t first_unanswered_ = 1;
  std::uint64_t answered_ = 0;
  std::uint64_t words_begin_ = 0;     // number of bit 0 of words_[head_]
  std::vector<std::uint64_t> words_;  // answered ones, from head_ on
  std::size_t head_ = 0;
};

}  // namespace sluice::amqp
