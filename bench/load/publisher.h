// SPDX-License-Identifier: Apache-2.0
// One publisher of the load generator: keeps a window of unconfirmed messages full with ready-made Publish
// frames in which only the publishing ids change, so that a message costs the client a few stores and a share
// of a send().
#pragma once

#include <functional>
#include <string>

#include "link.h"

namespace sluice::bench {

struct PublishPlan {
  std::string stream;
  std::uint32_t message_bytes = 100;
  std::uint32_t frame_messages = 100;  // per Publish frame
  std::uint32_t window_messages = 10'000;
  std::uint64_t messages_max = 0;  // 0: until told to stop
  // Set: version 2, the filter value of the n-th message (empty: none). The body then carries it as text,
  // too.
  std::function<std::string_view(std::uint64_t)> filter_value = {};
};

class Publisher {
 public:
  Publisher(Link& link, std::uint8_t id, PublishPlan plan);

  // Appends frames while the window has room and the socket keeps up, then sends what it takes.
  void pump();
  // True when the frame was a confirm of this publisher.
  bool on_frame(const streamproto::Frame& frame);
  void stop() { stopped_ = true; }

  std::uint64_t confirmed() const { return confirmed_; }
  bool done() const { return confirmed_ == published_ && (stopped_ || exhausted()); }

 private:
  bool exhausted() const { return plan_.messages_max != 0 && published_ >= plan_.messages_max; }
  void append_frame();
  void append_filtered_frame(std::uint64_t count);

  Link& link_;
  std::uint8_t id_;
  PublishPlan plan_;
  base::ByteBuffer frame_;
  base::ByteBuffer body_;
  std::uint64_t published_ = 0;
  std::uint64_t confirmed_ = 0;
  bool stopped_ = false;
};

// Publishes the whole plan over one connection and waits for all confirms.
void publish_all(const Broker& broker, PublishPlan plan);

// Makes the stream anew, empty. `arguments` as in Create.
void recreate_stream(Link& link, const std::string& stream, streamproto::Properties arguments = {});
void delete_stream(Link& link, const std::string& stream);

}  // namespace sluice::bench
