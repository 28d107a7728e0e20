// SPDX-License-Identifier: Apache-2.0
// The way to an open connection: protocol header, Start, Start-Ok, Tune, Tune-Ok, Open - and looking at
// rights again on an open one. Called by the session with what comes on channel 0 before the connection is
// open.
//
// Failures follow RabbitMQ: a login that is refused, or a step out of order, is answered by silence and a
// late close (with connection.close 403 at once for clients that announced authentication_failure_close);
// limits and vhosts that are refused get connection.close 530.
#pragma once

#include "amqp/connection.h"
#include "amqp/wire/methods.h"

namespace sluice::amqp {

class Handshake {
 public:
  explicit Handshake(Connection& connection) : connection_(connection) {}

  // Returns how many bytes are used up; 0 while there are too few.
  std::size_t on_header(base::ByteView input);

  void on(const wire::ConnectionStartOk& method);
  void on(const wire::ConnectionTuneOk& method);
  // True: the vhost is entered and open-ok may be sent.
  bool on(const wire::ConnectionOpen& method);
  void on(const wire::ConnectionUpdateSecret& method);

 private:
  void send_start();
  void read_client_properties(base::FieldTableView properties);
  void refuse_login(std::string_view why);

  Connection& connection_;
};

}  // namespace sluice::amqp
