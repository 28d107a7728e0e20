// SPDX-License-Identifier: Apache-2.0
// A request as a handler sees it, and its answer. Handlers run on the connection's shard and may answer
// later, on that shard too.
#pragma once

#include <functional>
#include <string>

namespace sluice::http {

struct Request {
  std::string method;
  std::string path;   // without query, not decoded
  std::string query;  // after '?', may be empty
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

using Answer = std::move_only_function<void(Response)>;
using Handler = std::function<void(Request, Answer)>;

// {"error": ..., "reason": ...}, as RabbitMQ's management API answers.
Response error_response(unsigned status, std::string_view error, std::string_view reason);

}  // namespace sluice::http
