// SPDX-License-Identifier: Apache-2.0
// Asks a broker that is not there, so it needs nothing but the library: the refused connection is the
// expected answer.
#include <client/blocking.h>
#include <client/message.h>

#include <cstdio>

int main() {
  sluice::client::EnvironmentOptions options;
  options.endpoints = {{"127.0.0.1", 1}};
  sluice::client::BlockingClient client(options);
  try {
    client.create_stream("nowhere");
  } catch (const sluice::client::ClientError& error) {
    std::printf("%s\n", error.what());
    return error.error().code == sluice::base::Errc::io_failed ? 0 : 1;
  }
  return 1;
}
