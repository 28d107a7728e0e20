// SPDX-License-Identifier: Apache-2.0
// The headers of an AMQP 0-9-1 message while they are made from the parts of an AMQP 1.0 one (to_basic.cc): a
// field table without its size. A value that 0-9-1 does not have, that is nested too deep or that does not
// fit any more leaves no trace.
#pragma once

#include "filters/amqp_sections.h"
#include "message/amqp10.h"
#include "message/appender.h"

namespace sluice::message {

// As timestamps of 0-9-1 are.
inline std::uint64_t seconds_of(std::int64_t ms) {
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms) / 1000;
}

class BasicHeaders {
 public:
  explicit BasicHeaders(base::ByteBuffer& to) : to_(to, 64) {}

  void add(std::string_view name, const filters::AmqpValue& value);
  void add_text(std::string_view name, char type, std::string_view text);
  void add_long(std::string_view name, std::uint64_t number);
  void add_deaths(const filters::AmqpValue& deaths);  // as x-death
  std::size_t written() const { return to_.written(); }
  void finish() { to_.finish(); }

 private:
  void write_name(std::string_view name);
  void add_death(filters::AmqpMapCursor death);

  Appender to_;
  bool full_ = false;
};

}  // namespace sluice::message
