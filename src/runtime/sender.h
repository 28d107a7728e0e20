// SPDX-License-Identifier: Apache-2.0
// Puts an outbox on a socket with as few system calls as it can. Bytes and small file ranges that stand next
// to each other go out in one sendmsg: the file ranges are read into the shard's scratch memory first, with
// one pread for all that lie close together in a file (a stream of small chunks needs two calls for hundreds
// of chunks). A large file range goes by sendfile, straight from the page cache.
#pragma once

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/outbox.h"

namespace sluice::runtime {

enum class SendOutcome : std::uint8_t {
  drained,      // everything is with the kernel
  would_block,  // the socket takes no more now
  failed        // the peer is gone, or a file could not be read
};

struct SendMetrics {
  base::Counter bytes, sendfile_bytes, calls;
  static constexpr auto metrics() {
    using base::MetricKind;
    return std::tuple{base::metric("sluice_bytes_sent_total", &SendMetrics::bytes, MetricKind::counter,
                                   "bytes written to sockets"),
                      base::metric("sluice_bytes_sent_by_sendfile_total", &SendMetrics::sendfile_bytes,
                                   MetricKind::counter, "of them straight from files"),
                      base::metric("sluice_send_calls_total", &SendMetrics::calls, MetricKind::counter,
                                   "system calls that wrote to sockets")};
  }
};

class Sender {
 public:
  // File ranges of at least this many bytes go by sendfile. Below, copying through scratch memory is cheaper
  // than a system call of its own per range.
  static constexpr std::size_t sendfile_bytes_min = 16 << 10;
  static constexpr std::size_t read_gap_bytes_max = 4 << 10;  // read over rather than seek

  // `scratch` is free for use during each call of flush.
  explicit Sender(base::MutableBytes scratch) : scratch_(scratch) {}

  SendOutcome flush(int socket, base::Outbox& outbox);
  const SendMetrics& metrics() const { return metrics_; }

 private:
  SendOutcome send_file(int socket, base::Outbox& outbox);
  SendOutcome send_gathered(int socket, base::Outbox& outbox);
  // Reads the front part of the file ranges that begin at piece `index` into scratch at `at`; false when no
  // room or on failure (failed_ set).
  bool load_window(const base::Outbox& outbox, std::size_t index, std::size_t at);

  struct Window {  // file bytes held in scratch
    const base::File* file = nullptr;
    std::uint64_t begin = 0, end = 0;
    std::size_t at = 0;
  };

  base::MutableBytes scratch_;
  Window window_;
  bool failed_ = false;
  SendMetrics metrics_;
};

}  // namespace sluice::runtime
