// SPDX-License-Identifier: Apache-2.0
// The seam between a protocol and the machine. A protocol implements Session: it turns bytes into broker
// calls and broker events into bytes in the outbox, and does no I/O. runtime (or the simulator) implements
// Transport and drives the session, always on the connection's own shard:
//
//   on_bytes(input)  -> how many bytes were used up; the transport keeps the rest and offers it again, longer
//   on_drained()     the outbox fell below its low-water mark
//   on_tick(now)     about twice a second, for timeouts and heartbeats
//   on_shutdown()    the process is about to end: what this queues still goes out, then on_closed() follows
//   on_closed()      the socket is gone (the last call)
//
// The transport looks at reading() and closing() after each of these calls, and after wake().
//
// A session may ask, inside on_bytes, to go on on another shard (Transport::move_to). Where that is possible
// it is not called on the old shard any more once that on_bytes has returned; socket, outbox, unused input
// and session go over, on_moved() is the first call there, and the unused input is offered again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/outbox.h"

namespace sluice::base {

struct PeerInfo {
  std::string peer_host;
  std::uint16_t peer_port = 0;
  std::string host;  // local address
  std::uint16_t port = 0;
  bool loopback = false;  // the peer is on this machine
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual Outbox& outbox() = 0;
  virtual const PeerInfo& peer() const = 0;
  // Something changed outside a callback (bytes queued, reading() or closing() differ): look at me at the end
  // of this turn. Cheap and idempotent.
  virtual void wake() = 0;
  // Only inside on_bytes; false: not possible, nothing happens.
  virtual bool move_to(ShardId shard) { return static_cast<void>(shard), false; }
};

class Session {
 public:
  enum class Closing : std::uint8_t { no, after_flush, now };
  virtual ~Session() = default;
  virtual std::size_t on_bytes(ByteView input) = 0;
  virtual void on_drained() = 0;
  virtual void on_tick(std::int64_t monotonic_ms) = 0;
  virtual void on_shutdown() {}
  virtual void on_closed() = 0;
  virtual bool reading() const = 0;  // false: stop reading the socket until it is true again
  virtual Closing closing() const = 0;
  // The session is now on `shard`, and `transport` stands for the one it had. Only after a move_to that was
  // true.
  virtual void on_moved(ShardId shard, Transport& transport) {
    static_cast<void>(shard), static_cast<void>(transport);
  }
};

}  // namespace sluice::base
