// SPDX-License-Identifier: Apache-2.0
#include "client/producer.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/compression.h"
#include "client/environment.h"
#include "client/retry.h"

namespace sluice::client {
namespace {

using base::ByteBuffer;
using base::ByteView;
using base::Errc;
using base::Error;
using base::Result;
using streamproto::Key;

constexpr std::size_t publish_frame_overhead_bytes = 9;  // key, version, publisher id, count
constexpr std::size_t filter_value_bytes_max = 0xFFFE;
constexpr std::size_t frame_bytes_target =
    256 * 1024;  // large enough; smaller ones let the server start earlier

}  // namespace

Producer::Producer(std::shared_ptr<Environment> environment, ProducerOptions options)
    : environment_(std::move(environment)), options_(std::move(options)) {
  options_.unconfirmed_messages_max = std::max<std::uint32_t>(1, options_.unconfirmed_messages_max);
  options_.sub_batch_messages = std::max<std::uint16_t>(1, options_.sub_batch_messages);
}

Producer::~Producer() {
  if (attached_) connection_->retire_publisher(id_);
}

// --- attaching to a connection ---

Task<Result<void>> Producer::open() {
  auto self = shared_from_this();
  if (!options_.name.empty()) {
    auto sequence = co_await environment_->query_publisher_sequence(options_.name, options_.stream);
    if (!sequence) co_return std::unexpected(std::move(sequence).error());
    last_id_ = *sequence;
  }
  Result<void> attached = co_await attach();
  if (!attached) failed_ = attached.error();
  co_return attached;
}

Task<Result<void>> Producer::attach() {
  auto slot = co_await environment_->take_slot(static_cast<PublisherEvents*>(this));
  if (!slot) co_return std::unexpected(std::move(slot).error());
  lost_ = false;
  streamproto::DeclarePublisher request;
  request.publisher_id = slot->id;
  request.reference = options_.name;
  request.stream = options_.stream;
  auto declared = co_await slot->connection->call<streamproto::DeclarePublisherResponse>(request);
  if (!declared || lost_) {
    if (!lost_) slot->connection->remove_publisher(slot->id);
    co_return std::unexpected(declared ? Error{Errc::io_failed, "lost while declaring"} : declared.error());
  }
  connection_ = slot->connection;
  id_ = slot->id;
  attached_ = true;
  sent_ = 0;
  schedule_send();
  co_return Result<void>{};
}

void Producer::on_lost(const Error&) {
  lost_ = true;
  if (!std::exchange(attached_, false) || failed_) return;
  start(environment_->executor(), reattach());
}

Task<void> Producer::reattach() {
  auto self = shared_from_this();
  Backoff backoff(environment_->executor(), environment_->options().retry);
  while (!failed_) {
    const bool more = co_await backoff.next();
    if (failed_) co_return;
    if (!more || environment_->is_closed()) {
      fail({Errc::stream_unavailable, fmt::format("no connection to stream '{}' any more", options_.stream)});
      co_return;
    }
    Result<void> attached = co_await attach();
    if (attached) {
      ++reconnections_;
      co_return;
    }
    if (!is_worth_a_retry(attached.error())) fail(attached.error());
  }
}

void Producer::fail(const Error& error) {
  if (failed_) return;
  failed_ = error;
  if (batch_) seal_batch();
  const Result<void> outcome = std::unexpected(error);
  for (Entry& entry : std::exchange(entries_, {})) {
    for (auto& [id, handler] : entry.handlers) {
      if (handler) handler({id, outcome});
    }
  }
  sent_ = 0;
  unconfirmed_messages_ = 0;
  unconfirmed_bytes_ = 0;
  changed_.wake_all();
}

Task<Result<void>> Producer::close() {
  auto self = shared_from_this();
  Result<void> confirmed = co_await wait_for_confirms();
  if (std::exchange(attached_, false)) {
    streamproto::DeletePublisher request;
    request.publisher_id = id_;
    [[maybe_unused]] auto deleted = co_await connection_->call<streamproto::DeletePublisherResponse>(request);
    if (!lost_) connection_->remove_publisher(id_);
  }
  fail({Errc::precondition_failed, "the producer is closed"});
  co_return confirmed;
}

// --- publishing ---

bool Producer::has_room() const {
  return !failed_ && unconfirmed_messages_ < options_.unconfirmed_messages_max &&
         unconfirmed_bytes_ < options_.unconfirmed_bytes_max;
}

Result<void> Producer::check(ByteView body, const PublishOptions& options) const {
  if (failed_) return std::unexpected(*failed_);
  if (!has_room()) return base::fail(Errc::too_large, "too many unconfirmed messages; wait_for_room() first");
  if (options.publishing_id && any_published_ && *options.publishing_id <= last_id_) {
    return base::fail(Errc::precondition_failed,
                      fmt::format("publishing id {} after {}", *options.publishing_id, last_id_));
  }
  const std::uint32_t frame_max = connection_->frame_max_bytes();
  const std::size_t size = body.size() + options.filter_value.size() + 64;
  if (frame_max != 0 && size > frame_max) {
    return base::fail(Errc::too_large,
                      fmt::format("a message of {} bytes, frames hold {}", body.size(), frame_max));
  }
  if (options.filter_value.empty()) return {};
  if (options.filter_value.size() > filter_value_bytes_max)
    return base::fail(Errc::too_large, "filter value too long");
  if (!connection_->server_knows(Key::publish, 2)) {
    return base::fail(Errc::precondition_failed, "this server does not take filter values");
  }
  if (options_.sub_batch_messages > 1 && !connection_->server_is_sluice()) {
    return base::fail(Errc::precondition_failed, "this server takes no filter values on sub-entry batches");
  }
  return {};
}

Result<std::uint64_t> Producer::publish(ByteView body, PublishOptions options, ConfirmHandler handler) {
  if (auto checked = check(body, options); !checked) return std::unexpected(std::move(checked).error());
  last_id_ = options.publishing_id.value_or(last_id_ + 1);
  any_published_ = true;
  with_filter_ = with_filter_ || !options.filter_value.empty();
  ++unconfirmed_messages_;
  unconfirmed_bytes_ += body.size();
  if (options_.sub_batch_messages > 1) {
    add_to_batch(body, options.filter_value, std::move(handler));
  } else {
    Entry entry;
    entry.id = last_id_;
    entry.data.assign(body.begin(), body.end());
    entry.filter_value = options.filter_value;
    entry.uncompressed_bytes = static_cast<std::uint32_t>(body.size());
    if (handler) entry.handlers.emplace_back(last_id_, std::move(handler));
    entries_.push_back(std::move(entry));
  }
  schedule_send();
  return last_id_;
}

Task<Result<std::uint64_t>> Producer::publish_and_wait(ByteBuffer body, std::string filter_value) {
  auto self = shared_from_this();
  Result<void> room = co_await wait_for_room();
  if (!room) co_return std::unexpected(std::move(room).error());
  co_return co_await suspend<Result<std::uint64_t>>([&](Completion<Result<std::uint64_t>> completion) {
    auto shared = std::make_shared<Completion<Result<std::uint64_t>>>(std::move(completion));
    PublishOptions options;
    options.filter_value = filter_value;
    auto published = publish(body, options, [shared](const Confirmation& confirmation) {
      if (confirmation.outcome) {
        shared->complete(confirmation.publishing_id);
      } else {
        shared->complete(std::unexpected(confirmation.outcome.error()));
      }
    });
    if (!published) shared->complete(std::move(published));
  });
}

// A batch ends when it is full, when the filter value changes (it covers the whole batch) and with the turn.
void Producer::add_to_batch(ByteView body, std::string_view filter_value, ConfirmHandler handler) {
  const std::size_t bytes_max = std::min<std::size_t>(
      frame_bytes_target,
      connection_->frame_max_bytes() != 0 ? connection_->frame_max_bytes() / 2 : frame_bytes_target);
  if (batch_ && (batch_->filter_value != filter_value || batch_->data.size() + body.size() > bytes_max))
    seal_batch();
  if (!batch_) {
    batch_ = Entry{};
    batch_->records = 0;
    batch_->is_sub_batch = true;
    batch_->filter_value = filter_value;
  }
  streamproto::write_simple_entry(body, batch_->data);
  batch_->id = last_id_;
  ++batch_->records;
  if (handler) batch_->handlers.emplace_back(last_id_, std::move(handler));
  if (batch_->records >= options_.sub_batch_messages) seal_batch();
}

void Producer::seal_batch() {
  Entry entry = std::move(*batch_);
  batch_.reset();
  entry.uncompressed_bytes = static_cast<std::uint32_t>(entry.data.size());
  Result<ByteBuffer> packed = compress(options_.compression, entry.data);
  if (packed) entry.data = std::move(*packed);
  entries_.push_back(std::move(entry));
  if (!packed) settle(entries_.back().id, std::unexpected(packed.error()));
}

// The end of the turn: what was published until then goes in one write.
void Producer::schedule_send() {
  if (send_scheduled_) return;
  send_scheduled_ = true;
  asio::post(environment_->executor(), [self = shared_from_this()] {
    self->send_scheduled_ = false;
    self->flush();
  });
}

void Producer::flush() {
  if (batch_) seal_batch();
  send_unsent();
}

std::size_t Producer::wire_bytes(const Entry& entry) const {
  return 8 + 2 + entry.filter_value.size() + streamproto::sub_batch_header_bytes + entry.data.size();
}

void Producer::send_unsent() {
  if (!attached_) return;
  const std::size_t frame_max = connection_->frame_max_bytes();
  const std::size_t bytes_max = frame_max == 0 ? frame_bytes_target : std::min(frame_max, frame_bytes_target);
  const std::uint16_t version = with_filter_ ? 2 : 1;
  ByteBuffer& out = connection_->outgoing();
  while (sent_ < entries_.size()) {
    streamproto::PublishFrameWriter frame(out, id_, version);
    std::size_t bytes = publish_frame_overhead_bytes;
    for (; sent_ < entries_.size(); ++sent_) {
      const Entry& entry = entries_[sent_];
      if (entry.done) continue;
      bytes += wire_bytes(entry);
      if (frame.count() != 0 && bytes > bytes_max) break;
      if (entry.is_sub_batch) {
        frame.add_sub_batch(entry.id, options_.compression, entry.records, entry.uncompressed_bytes,
                            entry.data, entry.filter_value);
      } else {
        frame.add(entry.id, entry.data, entry.filter_value);
      }
    }
    frame.finish();
  }
  if (!out.empty()) connection_->wake_writer();
}

// --- confirms ---

void Producer::on_confirms(const streamproto::PublishConfirm& confirms) {
  const auto self = shared_from_this();
  const auto& ids = confirms.publishing_ids;
  for (std::size_t i = 0; i < ids.size(); ++i) settle(ids[i].value, {});
  drop_settled();
}

void Producer::on_publish_errors(const streamproto::PublishError& errors) {
  const auto self = shared_from_this();
  for (std::size_t i = 0; i < errors.failures.size(); ++i) {
    const streamproto::PublishFailure failure = errors.failures[i];
    settle(failure.publishing_id, std::unexpected(error_of(failure.code, "publish")));
  }
  drop_settled();
}

void Producer::settle(std::uint64_t id, const Result<void>& outcome) {
  const auto entry = std::lower_bound(entries_.begin(), entries_.end(), id,
                                      [](const Entry& e, std::uint64_t wanted) { return e.id < wanted; });
  if (entry == entries_.end() || entry->id != id || entry->done) return;
  entry->done = true;
  unconfirmed_messages_ -= entry->records;
  const std::size_t bytes = entry->uncompressed_bytes -
                            (entry->is_sub_batch ? entry->records * streamproto::simple_header_bytes : 0);
  unconfirmed_bytes_ -= bytes;
  entry->data = {};
  auto handlers = std::move(entry->handlers);  // a handler may publish, which moves entries
  for (auto& [handler_id, handler] : handlers) handler({handler_id, outcome});
}

void Producer::drop_settled() {
  while (!entries_.empty() && entries_.front().done) {
    entries_.pop_front();
    if (sent_ > 0) --sent_;
  }
  changed_.wake_all();
}

Task<Result<void>> Producer::wait_for_room() {
  auto self = shared_from_this();
  while (!has_room() && !failed_) co_await changed_.wait();
  if (failed_) co_return std::unexpected(*failed_);
  co_return Result<void>{};
}

Task<Result<void>> Producer::wait_for_confirms() {
  auto self = shared_from_this();
  flush();
  const std::uint64_t until = last_id_;
  while (!failed_ && !entries_.empty() && entries_.front().id <= until) co_await changed_.wait();
  if (failed_) co_return std::unexpected(*failed_);
  co_return Result<void>{};
}

}  // namespace sluice::client
