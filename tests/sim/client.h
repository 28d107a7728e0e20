// SPDX-License-Identifier: Apache-2.0
// A client of the native protocol in the simulated world: real bytes, own handshake, reconnects after a
// while. Publishers, readers and administrators derive from it. Written on the codec of streamproto, so a
// mistake shared by both ends of the codec is not found here; golden bytes and interop tests find those.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "sim/node.h"
#include "streamproto/commands.h"

namespace sluice::sim {

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Node& node, std::string name) : node_(node), world_(node.world()), name_(std::move(name)) {}
  virtual ~Client();

  void connect();
  void leave();  // hangs up for good
  bool is_open() const { return open_; }
  bool left() const { return left_; }
  const std::string& name() const { return name_; }

  // ---- by the link
  void receive(base::ByteView bytes);
  void lost();

 protected:
  // The answer's code, and its number where it has one.
  using Answer = std::function<void(streamproto::ResponseCode, std::uint64_t)>;

  virtual void on_open() = 0;
  virtual void on_lost() {}
  virtual void on_deliver(const streamproto::Deliver&) {}
  virtual void on_confirm(std::uint64_t) {}
  virtual void on_refused(std::uint64_t, streamproto::ResponseCode) {}
  virtual void on_stream_gone() {}
  virtual void on_consumer_update(std::uint32_t correlation, const streamproto::ConsumerUpdate& update);

  template <streamproto::Command T>
  void send(const T& message, std::uint32_t correlation = 0, std::uint16_t version = 1) {
    base::ByteBuffer bytes;
    streamproto::encode(message, correlation, bytes, version);
    send_bytes(bytes);
  }
  template <streamproto::Command T>
  void ask(const T& message, Answer answer) {
    answers_[++correlation_] = std::move(answer);
    send(message, correlation_);
  }
  void send_bytes(base::ByteView bytes);
  // Something went wrong that may pass: hang up and come back.
  void retry(std::string_view why);

  Node& node_;
  World& world_;

 private:
  template <class T>
  void on(std::uint32_t correlation, const T& message);
  void come_back();
  void authenticate();
  void open();

  std::string name_;
  std::shared_ptr<Link> link_;
  base::ByteBuffer input_;
  std::unordered_map<std::uint32_t, Answer> answers_;
  std::uint32_t correlation_ = 0;
  bool open_ = false, left_ = false;
};

}  // namespace sluice::sim
