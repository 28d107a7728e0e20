// SPDX-License-Identifier: Apache-2.0
// What the requests of endpoints.h and queue_endpoints.h are made of.
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
struct VhostRequest {
  std::string vhost = "/";
  static constexpr auto fields() {
    return std::tuple{base::field("vhost", &VhostRequest::vhost, "virtual host")};
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
