// SPDX-License-Identifier: Apache-2.0
// What commands and their requests are made of (endpoints.h, queue_endpoints.h, node_endpoints.h).
#pragma once

#include <string>
#include <tuple>

#include "base/described.h"

namespace sluice::http {

struct Positional {};  // trait of a request's field: an argument without a name, required
struct Optional {};    // trait of a positional one, behind the others: it may be absent
struct Required {};    // trait of a request's field: an option that must be given

// What the answer is: nothing, one sentence, one row, rows.
enum class Shape : std::uint8_t { none, text, one, list };

struct NoRequest {
  static constexpr auto fields() { return std::tuple<>{}; }
};
struct TextRow {
  std::string text;
  static constexpr auto fields() { return std::tuple{base::field("text", &TextRow::text, "what is said")}; }
};
struct NoRow {
  static constexpr auto fields() { return std::tuple<>{}; }
};
// What a command is declared from, by what it answers.
struct Deed {
  static constexpr Shape shape = Shape::none;
  using Row = NoRow;
};
struct Saying {
  static constexpr Shape shape = Shape::text;
  using Row = TextRow;
};
template <class R>
struct Listing {
  static constexpr Shape shape = Shape::list;
  using Row = R;
};

struct VhostRequest {
  std::string vhost = "/";
  static constexpr auto fields() {
    return std::tuple{base::field("vhost", &VhostRequest::vhost, "virtual host")};
  }
};
struct QueueRequest {
  std::string queue;
  std::string vhost = "/";
  static constexpr auto fields() {
    return std::tuple{base::field("queue", &QueueRequest::queue, "name of the queue", Positional{}),
                      base::field("vhost", &QueueRequest::vhost, "virtual host")};
  }
};
struct StreamRequest {
  std::string stream;
  std::string vhost = "/";
  static constexpr auto fields() {
    return std::tuple{base::field("stream", &StreamRequest::stream, "name of the stream", Positional{}),
                      base::field("vhost", &StreamRequest::vhost, "virtual host")};
  }
};
struct ReferenceRequest {
  std::string stream, reference;
  std::string vhost = "/";
  static constexpr auto fields() {
    using R = ReferenceRequest;
    return std::tuple{base::field("stream", &R::stream, "name of the stream", Required{}),
                      base::field("reference", &R::reference, "name of the consumer or group", Required{}),
                      base::field("vhost", &R::vhost, "virtual host")};
  }
};

}  // namespace sluice::http
