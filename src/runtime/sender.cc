// SPDX-License-Identifier: Apache-2.0
#include "runtime/sender.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sluice::runtime {
namespace {

SendOutcome outcome_of(int code) {
  return code == EAGAIN || code == EWOULDBLOCK ? SendOutcome::would_block : SendOutcome::failed;
}

bool goes_by_sendfile(const base::Outbox::Piece& piece) {
  return piece.file && piece.size >= Sender::sendfile_bytes_min && piece.file->descriptor() >= 0;
}

}  // namespace

SendOutcome Sender::flush(int socket, base::Outbox& outbox) {
  while (!outbox.empty()) {
    const SendOutcome outcome =
        goes_by_sendfile(outbox.pieces().front()) ? send_file(socket, outbox) : send_gathered(socket, outbox);
    if (outcome != SendOutcome::drained) return outcome;
  }
  return SendOutcome::drained;
}

// One call; drained means: go on.
SendOutcome Sender::send_file(int socket, base::Outbox& outbox) {
  const base::Outbox::Piece& piece = outbox.pieces().front();
  auto position = static_cast<off_t>(piece.position);
  const ssize_t n = ::sendfile(socket, piece.file->descriptor(), &position, piece.size);
  if (n < 0) return errno == EINTR ? SendOutcome::drained : outcome_of(errno);
  if (n == 0) return SendOutcome::failed;  // the file is shorter than what was promised
  metrics_.calls.add();
  metrics_.bytes.add(static_cast<std::uint64_t>(n));
  metrics_.sendfile_bytes.add(static_cast<std::uint64_t>(n));
  outbox.consume(static_cast<std::size_t>(n));
  return SendOutcome::drained;
}

SendOutcome Sender::send_gathered(int socket, base::Outbox& outbox) {
  constexpr std::size_t vectors_max = 512;  // of IOV_MAX 1024
  std::array<iovec, vectors_max> vectors;
  const auto& pieces = outbox.pieces();
  std::size_t count = 0, scratch_used = 0, gathered = 0;
  window_ = {};
  failed_ = false;
  for (; count < vectors_max && count < pieces.size(); ++count) {
    const base::Outbox::Piece& piece = pieces[count];
    if (!piece.file) {
      vectors[count] = {const_cast<std::uint8_t*>(outbox.data(piece)), piece.size};
    } else {
      if (goes_by_sendfile(piece)) break;
      const bool held = piece.file.get() == window_.file && piece.position >= window_.begin &&
                        piece.position + piece.size <= window_.end;
      if (!held) {
        if (!load_window(outbox, count, scratch_used)) break;
        scratch_used = window_.at + static_cast<std::size_t>(window_.end - window_.begin);
      }
      vectors[count] = {scratch_.data() + window_.at + (piece.position - window_.begin), piece.size};
    }
    gathered += vectors[count].iov_len;
  }
  if (failed_ || count == 0) return SendOutcome::failed;

  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  const int more = count < pieces.size() ? MSG_MORE : 0;
  const ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  if (n < 0) return errno == EINTR ? SendOutcome::drained : outcome_of(errno);
  metrics_.calls.add();
  metrics_.bytes.add(static_cast<std::uint64_t>(n));
  outbox.consume(static_cast<std::size_t>(n));
  return static_cast<std::size_t>(n) < gathered ? SendOutcome::would_block : SendOutcome::drained;
}

bool Sender::load_window(const base::Outbox& outbox, std::size_t index, std::size_t at) {
  const auto& pieces = outbox.pieces();
  const base::Outbox::Piece& first = pieces[index];
  const std::size_t room = scratch_.size() - at;
  // A single range larger than all of scratch can only be one without a descriptor; it has no sender here.
  if (first.size > room) {
    failed_ = failed_ || first.size > scratch_.size();
    return false;
  }
  std::uint64_t end = first.position + first.size;
  for (std::size_t i = index + 1; i < pieces.size(); ++i) {
    const base::Outbox::Piece& piece = pieces[i];
    if (!piece.file) continue;
    const bool near = piece.file == first.file && piece.position >= end &&
                      piece.position - end <= read_gap_bytes_max && !goes_by_sendfile(piece);
    if (!near || piece.position + piece.size - first.position > room) break;
    end = piece.position + piece.size;
  }
  const auto size = static_cast<std::size_t>(end - first.position);
  const auto read = first.file->read_at(first.position, scratch_.subspan(at, size));
  if (!read || *read < size) {
    failed_ = true;
    return false;
  }
  window_ = {first.file.get(), first.position, end, at};
  return true;
}

}  // namespace sluice::runtime
