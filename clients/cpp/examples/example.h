// SPDX-License-Identifier: Apache-2.0
// What every example needs around its few lines: where the broker is (SLUICE_HOST, SLUICE_PORT), a run loop,
// an exit code other than 0 when a call failed or an expectation did not hold, so that the tests can run the
// examples.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "client/environment.h"

namespace example {

using namespace sluice::client;
using sluice::base::ByteBuffer;
using sluice::base::Result;

inline EnvironmentOptions options_from_environment() {
  EnvironmentOptions options;
  if (const char* host = std::getenv("SLUICE_HOST")) options.endpoints[0].host = host;
  if (const char* port = std::getenv("SLUICE_PORT"))
    options.endpoints[0].port = static_cast<std::uint16_t>(std::stoi(port));
  options.use_advertised_addresses = false;  // one broker, perhaps behind a port mapping
  return options;
}

// The value, or an exception that ends the example with its text.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline void expect(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error("expected: " + what);
}

// Suspends for a moment at a time until `condition` holds; gives up after ten seconds.
template <class Condition>
Task<void> until(std::shared_ptr<Environment> environment, Condition condition, std::string what) {
  asio::steady_timer timer(environment->executor());
  for (int i = 0; i < 1000 && !condition(); ++i) {
    timer.expires_after(std::chrono::milliseconds(10));
    co_await timer.async_wait(asio::use_awaitable);
  }
  expect(condition(), what);
}

template <class Example>
int run(Example example) {
  asio::io_context io{1};
  auto environment = Environment::create(io.get_executor(), options_from_environment());
  int exit_code = 1;
  asio::co_spawn(io, example(environment), [&](const std::exception_ptr& error) {
    try {
      if (error) std::rethrow_exception(error);
      exit_code = 0;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    asio::co_spawn(io, environment->close(), [&](const std::exception_ptr&) { io.stop(); });
  });
  io.run();
  return exit_code;
}

}  // namespace example
