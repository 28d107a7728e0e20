// SPDX-License-Identifier: Apache-2.0
#include "http/session.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/json.hpp>

namespace sluice::http {

namespace beast_http = boost::beast::http;

Response error_response(unsigned status, std::string_view error, std::string_view reason) {
  const boost::json::object body{{"error", error}, {"reason", reason}};
  return {status, "application/json", boost::json::serialize(body)};
}

Session::Session(base::Transport& transport, const Handler& handler, Metrics& metrics)
    : transport_(transport), handler_(handler), metrics_(metrics), alive_(std::make_shared<Session*>(this)) {
  begin_request();
}

void Session::begin_request() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(header_bytes_max);
  parser_->body_limit(body_bytes_max);
  request_begun_ = false;
}

std::size_t Session::on_bytes(base::ByteView input) {
  std::size_t used = 0;
  while (used < input.size() && reading()) {
    request_begun_ = true;
    boost::system::error_code error;
    used += parser_->put(boost::asio::buffer(input.data() + used, input.size() - used), error);
    if (error == beast_http::error::need_more) break;
    if (error) {
      metrics_.bad_requests.add();
      const bool large = error == beast_http::error::body_limit || error == beast_http::error::header_limit;
      write(error_response(large ? 413 : 400, "bad_request", error.message()), false, true);
      return input.size();
    }
    if (parser_->is_done()) handle_request();
  }
  return closing_ == Closing::no ? used : input.size();
}

void Session::handle_request() {
  metrics_.requests.add();
  auto message = parser_->release();
  const bool keep_alive = message.keep_alive();
  const bool with_body = message.method() != beast_http::verb::head;
  Request request;
  request.method = with_body ? std::string(message.method_string()) : "GET";
  const std::string_view target(message.target().data(), message.target().size());
  request.path = std::string(target.substr(0, target.find('?')));
  if (const auto mark = target.find('?'); mark != std::string_view::npos)
    request.query = target.substr(mark + 1);
  request.body = std::move(message.body());
  awaiting_ = true;
  begin_request();
  handler_(std::move(request),
           [this, alive = std::weak_ptr<Session*>(alive_), keep_alive, with_body](const Response& response) {
             if (alive.expired()) return;
             awaiting_ = false;
             write(response, keep_alive, with_body);
             transport_.wake();
           });
}

void Session::write(const Response& response, bool keep_alive, bool with_body) {
  const auto reason = beast_http::obsolete_reason(static_cast<beast_http::status>(response.status));
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nServer: sluice\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n",
      response.status, std::string_view(reason.data(), reason.size()), response.content_type,
      response.body.size(), keep_alive ? "keep-alive" : "close");
  transport_.outbox().write(base::as_bytes(head));
  if (with_body) transport_.outbox().write(base::as_bytes(response.body));
  if (!keep_alive) closing_ = Closing::after_flush;
}

void Session::on_tick(std::int64_t monotonic_ms) {
  if (awaiting_ || !transport_.outbox().empty()) {
    waiting_since_ms_ = -1;
    return;
  }
  if (waiting_since_ms_ < 0 || waited_in_request_ != request_begun_) {
    waiting_since_ms_ = monotonic_ms;
    waited_in_request_ = request_begun_;
    return;
  }
  const std::int64_t waited_ms = monotonic_ms - waiting_since_ms_;
  if (request_begun_ && waited_ms >= request_timeout_ms) {
    metrics_.bad_requests.add();
    write(error_response(408, "request_timeout", "the request did not arrive in time"), false, true);
  } else if (!request_begun_ && waited_ms >= idle_timeout_ms) {
    closing_ = Closing::now;
  }
}

}  // namespace sluice::http
