// SPDX-License-Identifier: Apache-2.0
// Any bytes on the HTTP ports, in any cut. Nothing may crash; whether a request is taken does not depend on
// how its input was cut; a body that is taken for a command's request is the same after writing and reading
// it again.
#include "base/check.h"
#include "http/endpoints.h"
#include "http/session.h"
#include "support/fed_session.h"

using namespace sluice;

namespace {

// Gives the input in cuts of `cut` bytes, as the runtime does; returns what came back.
std::string answers(base::ByteView input, std::size_t cut) {
  test::FakeTransport transport;
  http::Metrics metrics;
  const http::Handler handler = [](const http::Request& request, http::Answer answer) {
    answer({200, "text/plain", request.method + request.path + request.query + request.body});
  };
  http::Session session(transport, handler, metrics);
  test::Feeder feeder(session);
  while (!input.empty() && session.reading()) {
    const base::ByteView part = input.first(std::min(cut, input.size()));
    input = input.subspan(part.size());
    feeder.feed(part);
  }
  return std::string(base::as_text(transport.take_sent()));
}

template <class Request>
void check_json(const boost::json::value& value) {
  Request request;
  if (!http::from_json(value, request, "body")) return;
  const boost::json::value once = http::to_json(request);
  Request again;
  INVARIANT(http::from_json(once, again, "body").has_value(), "{}", boost::json::serialize(once));
  INVARIANT(http::to_json(again) == once, "{}", boost::json::serialize(once));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  const std::string whole = answers(input, size + 1);
  if (size < 4096) {
    // Only that a request is taken must not depend on the cut: a mistake in a header line may be seen at once
    // or when the header has ended.
    const std::string cut = answers(input, 7);
    INVARIANT(cut.starts_with("HTTP/1.1 200") == whole.starts_with("HTTP/1.1 200"), "'{}' and '{}'", cut,
              whole);
  }
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(base::as_text(input), error);
  if (error) return 0;
  http::for_each_endpoint(http::Endpoints{}, [&]<class E>(E) { check_json<typename E::Request>(value); });
  return 0;
}
