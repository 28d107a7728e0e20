// SPDX-License-Identifier: Apache-2.0
// Requests about streams that leave nothing behind in the session: create, delete, metadata, superstreams,
// offsets, statistics, versions. Each asks the broker and answers. Reference: sections 9, 11 and 12.
#pragma once

#include "stream/connection.h"

namespace sluice::stream {

class Management {
 public:
  explicit Management(Connection& connection) : connection_(connection) {}

  void on(std::uint32_t correlation, const streamproto::Create& request);
  void on(std::uint32_t correlation, const streamproto::Delete& request);
  void on(std::uint32_t correlation, const streamproto::CreateSuperStream& request);
  void on(std::uint32_t correlation, const streamproto::DeleteSuperStream& request);
  void on(std::uint32_t correlation, const streamproto::Metadata& request);
  void on(std::uint32_t correlation, const streamproto::Partitions& request);
  void on(std::uint32_t correlation, const streamproto::Route& request);
  void on(std::uint32_t correlation, const streamproto::StreamStats& request);
  void on(std::uint32_t correlation, const streamproto::ResolveOffsetSpec& request);
  void on(std::uint32_t correlation, const streamproto::QueryOffset& request);
  void on(std::uint32_t correlation, const streamproto::ExchangeCommandVersions& request);
  // `may_read`: known without asking, from a subscription to the stream.
  void on(const streamproto::StoreOffset& request, bool may_read);

 private:
  template <streamproto::Command Response>
  broker::Done<> answer_with_code(std::uint32_t correlation);

  Connection& connection_;
};

}  // namespace sluice::stream
