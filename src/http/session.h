// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection: parses requests (Beast's parser, no I/O), hands each to the handler, writes the
// answers in order, keeps the connection alive. One request at a time; while its answer is outstanding
// nothing more is read.
//
// Bounds: header 16 KiB, body 1 MiB, ten seconds for a request to arrive whole, a minute between requests.
// Bytes that are no HTTP are answered 400 and the connection ends.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>

#include "base/session.h"
#include "http/message.h"
#include "http/metrics.h"

namespace sluice::http {

class Session final : public base::Session {
 public:
  static constexpr std::uint32_t header_bytes_max = 16 << 10;
  static constexpr std::uint64_t body_bytes_max = 1 << 20;
  static constexpr std::int64_t request_timeout_ms = 10'000;
  static constexpr std::int64_t idle_timeout_ms = 60'000;

  // All outlive the session.
  Session(base::Transport& transport, const Handler& handler, Metrics& metrics);

  std::size_t on_bytes(base::ByteView input) override;
  void on_drained() override {}
  void on_tick(std::int64_t monotonic_ms) override;
  void on_closed() override { alive_.reset(); }
  bool reading() const override { return !awaiting_ && closing_ == Closing::no; }
  Closing closing() const override { return closing_; }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  void begin_request();
  void handle_request();
  void write(const Response& response, bool keep_alive, bool with_body);

  base::Transport& transport_;
  const Handler& handler_;
  Metrics& metrics_;
  std::optional<Parser> parser_;
  std::shared_ptr<Session*> alive_;
  bool awaiting_ = false;
  bool request_begun_ = false;
  Closing closing_ = Closing::no;
  std::int64_t waiting_since_ms_ = -1;  // first tick seen in the present state
  bool waited_in_request_ = false;
};

}  // namespace sluice::http
