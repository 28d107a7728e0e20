// SPDX-License-Identifier: Apache-2.0
#include "client/consumer.h"

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
using streamproto::OffsetType;

constexpr std::uint16_t plain_credit = 10;
constexpr std::uint16_t filtered_credit = 200;

}  // namespace

Consumer::Consumer(std::shared_ptr<Environment> environment, ConsumerOptions options, MessageHandler handler)
    : environment_(std::move(environment)),
      options_(std::move(options)),
      handler_(std::move(handler)),
      commit_timer_(environment_->executor()) {}

Consumer::~Consumer() {
  if (attached_) connection_->retire_subscription(id_);
}

// --- attaching to a connection ---

Task<Result<void>> Consumer::open() {
  auto self = shared_from_this();
  if ((options_.tracking || options_.single_active) && options_.name.empty()) {
    co_return base::fail(Errc::precondition_failed, "tracking and single active consumers need a name");
  }
  Result<void> attached = co_await attach();
  if (!attached) {
    failed_ = attached.error();
  } else if (options_.tracking && options_.tracking->auto_commit) {
    schedule_commit();
  }
  co_return attached;
}

// Where to start: after what was handed over already, else after the stored offset, else as asked.
Task<OffsetSpec> Consumer::start_spec() {
  if (next_offset_) co_return OffsetSpec::at(*next_offset_);
  if (options_.tracking) {
    auto stored = co_await stored_offset();
    if (stored) {
      committed_ = *stored;
      co_return OffsetSpec::at(*stored + 1);
    }
  }
  co_return options_.start;
}

std::vector<std::pair<std::string, std::string>> Consumer::subscription_properties() const {
  std::vector<std::pair<std::string, std::string>> properties;
  if (!options_.name.empty()) properties.emplace_back("name", options_.name);
  if (options_.single_active) properties.emplace_back("single-active-consumer", "true");
  if (!options_.super_stream.empty()) properties.emplace_back("super-stream", options_.super_stream);
  if (!options_.filter) return properties;
  const FilterOptions& filter = *options_.filter;
  for (std::size_t i = 0; i < filter.values.size(); ++i) {
    properties.emplace_back(fmt::format("filter.{}", i), filter.values[i]);
  }
  if (filter.match_unfiltered) properties.emplace_back("match-unfiltered", "true");
  if (!filter.expression.empty()) properties.emplace_back("filter-expr", filter.expression);
  if (!filter.mode.empty()) properties.emplace_back("filter-mode", filter.mode);
  if (!filter.field.empty()) properties.emplace_back("filter-field", filter.field);
  return properties;
}

Task<Result<void>> Consumer::attach() {
  const OffsetSpec spec = co_await start_spec();
  auto slot = co_await environment_->take_slot(static_cast<SubscriptionEvents*>(this));
  if (!slot) co_return std::unexpected(std::move(slot).error());
  lost_ = false;
  active_ = !options_.single_active;
  connection_ = slot->connection;
  id_ = slot->id;
  skip_below_ = spec.type == OffsetType::offset ? spec.value : 0;
  const auto properties = subscription_properties();
  streamproto::Subscribe request;
  request.subscription_id = id_;
  request.stream = options_.stream;
  request.offset_spec = spec;
  request.credit = std::max<std::uint16_t>(
      1, options_.initial_credit.value_or(options_.filter ? filtered_credit : plain_credit));
  for (const auto& [key, value] : properties) request.properties.push_back({key, value});
  attached_ = true;  // chunks may come before this coroutine goes on
  auto subscribed = co_await connection_->call<streamproto::SubscribeResponse>(std::move(request));
  if (subscribed && !lost_) {
    running_ = true;
    co_return Result<void>{};
  }
  if (std::exchange(attached_, false)) connection_->remove_subscription(id_);
  co_return std::unexpected(subscribed ? Error{Errc::io_failed, "lost while subscribing"}
                                       : subscribed.error());
}

void Consumer::on_lost(const Error&) {
  lost_ = true;
  attached_ = false;
  active_ = false;
  if (!std::exchange(running_, false) || closed_ || failed_) return;
  start(environment_->executor(), reattach());
}

Task<void> Consumer::reattach() {
  auto self = shared_from_this();
  Backoff backoff(environment_->executor(), environment_->options().retry);
  while (!closed_ && !failed_) {
    const bool more = co_await backoff.next();
    if (closed_ || failed_) co_return;
    if (!more || environment_->is_closed()) {
      fail({Errc::stream_unavailable, fmt::format("no connection to stream '{}' any more", options_.stream)});
      co_return;
    }
    Result<void> attached = co_await attach();
    if (attached) {
      ++counters_.reconnections;
      co_return;
    }
    if (!is_worth_a_retry(attached.error())) fail(attached.error());
  }
}

void Consumer::fail(const Error& error) {
  if (failed_ || closed_) return;
  failed_ = error;
  commit_timer_.cancel();
  if (std::exchange(attached_, false)) connection_->retire_subscription(id_);
  if (options_.on_failed) options_.on_failed(*failed_);
}

Task<Result<void>> Consumer::close() {
  auto self = shared_from_this();
  if (closed_) co_return Result<void>{};
  closed_ = true;
  commit_timer_.cancel();
  if (options_.tracking && options_.tracking->auto_commit) commit();
  Result<void> result;
  if (attached_) {
    streamproto::Unsubscribe request;
    request.subscription_id = id_;
    auto done = co_await connection_->call<streamproto::UnsubscribeResponse>(request);
    if (!done) result = std::unexpected(done.error());
    if (std::exchange(attached_, false)) connection_->remove_subscription(id_);
    co_await wait_until_committed();
  }
  active_ = false;
  co_return result;
}

// Stored offsets are not confirmed: asks until the server shows the last one, so that the next consumer of
// this name starts after it. Bounded; a server that does not show it keeps its older offset.
Task<void> Consumer::wait_until_committed() {
  asio::steady_timer pause(environment_->executor());
  for (int attempt = 0; committed_ && attempt < 20; ++attempt) {
    auto stored = co_await stored_offset();
    if (stored && *stored == *committed_) co_return;
    pause.expires_after(std::chrono::milliseconds(25));
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

// --- chunks ---

void Consumer::on_deliver(const streamproto::Deliver& deliver) {
  if (closed_ || failed_) return;
  const auto self = shared_from_this();
  const streamproto::ChunkHeader& header = deliver.chunk.header;
  ++counters_.chunks;
  counters_.chunk_bytes += streamproto::chunk_header_bytes + deliver.chunk.data.size();
  if (header.type == streamproto::ChunkType::user) {
    if (Result<void> handled = handle_chunk(deliver); !handled) return fail(handled.error());
  }
  if (!attached_ || closed_) return;
  streamproto::Credit credit;
  credit.subscription_id = id_;
  credit.credit = 1;
  connection_->send(credit);
}

Result<void> Consumer::handle_chunk(const streamproto::Deliver& deliver) {
  const streamproto::ChunkHeader& header = deliver.chunk.header;
  if (options_.check_crc && crc32(deliver.chunk.data) != header.crc) {
    return base::fail(Errc::corrupt,
                      fmt::format("chunk {} of '{}' fails its CRC", header.chunk_id, options_.stream));
  }
  std::uint64_t offset = header.chunk_id;
  streamproto::Entries entries = deliver.chunk.entries();
  streamproto::EntryView entry;
  while (entries.next(entry)) {
    if (!entry.is_sub_batch) {
      handle_message(deliver, offset++, entry.data);
      if (closed_) return {};
      continue;
    }
    if (offset + entry.record_count <= skip_below_) {
      offset += entry.record_count;
      continue;
    }
    ByteBuffer unpacked;
    ByteView messages = entry.data;
    if (entry.compression != streamproto::Compression::none) {
      TRY(plain, decompress(entry.compression, entry.data, entry.uncompressed_bytes));
      unpacked = std::move(plain);
      messages = unpacked;
    }
    streamproto::Entries packed(messages);
    streamproto::EntryView message;
    while (packed.next(message)) {
      handle_message(deliver, offset++, message.data);
      if (closed_) return {};
    }
    if (!packed.ok())
      return base::fail(Errc::corrupt, fmt::format("damaged sub-entry batch in chunk {}", header.chunk_id));
  }
  if (!entries.ok())
    return base::fail(Errc::corrupt, fmt::format("damaged entries in chunk {}", header.chunk_id));
  commit_if_due();
  return {};
}

void Consumer::handle_message(const streamproto::Deliver& deliver, std::uint64_t offset, ByteView body) {
  ++counters_.messages_received;
  if (offset < skip_below_) return;
  next_offset_ = offset + 1;
  ++handled_since_commit_;
  if (options_.filter && options_.filter->post_filter && !options_.filter->post_filter(body)) return;
  ++counters_.messages_handled;
  handler_(Delivery{options_.stream, offset, deliver.chunk.header.timestamp_ms, deliver.committed_chunk_id,
                    body, *this});
}

// --- offsets ---

Result<void> Consumer::store_offset(std::uint64_t offset) {
  if (options_.name.empty()) return base::fail(Errc::precondition_failed, "storing an offset needs a name");
  if (!attached_) return base::fail(Errc::io_failed, "not connected");
  streamproto::StoreOffset request;
  request.reference = options_.name;
  request.stream = options_.stream;
  request.offset = offset;
  connection_->send(request);
  return {};
}

Task<Result<std::uint64_t>> Consumer::stored_offset() {
  return environment_->query_offset(options_.name, options_.stream);
}

void Consumer::commit() {
  handled_since_commit_ = 0;
  if (!next_offset_ || *next_offset_ == 0 || committed_ == *next_offset_ - 1) return;
  if (store_offset(*next_offset_ - 1)) committed_ = *next_offset_ - 1;
}

void Consumer::commit_if_due() {
  if (!options_.tracking || !options_.tracking->auto_commit) return;
  if (handled_since_commit_ >= options_.tracking->commit_messages) commit();
}

void Consumer::schedule_commit() {
  commit_timer_.expires_after(options_.tracking->commit_interval);
  commit_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->closed_ || self->failed_) return;
    self->commit();
    self->schedule_commit();
  });
}

// --- single active consumer ---

void Consumer::on_consumer_update(std::uint32_t correlation, bool active) {
  start(environment_->executor(), answer_update(correlation, active));
}

Task<void> Consumer::answer_update(std::uint32_t correlation, bool active) {
  auto self = shared_from_this();
  const auto connection = connection_;  // the one that asked
  streamproto::ConsumerUpdateResponse answer;
  std::optional<OffsetSpec> chosen;
  if (options_.on_update) chosen = options_.on_update(*this, active);
  if (active) {
    if (!chosen) {
      auto stored = co_await stored_offset();
      if (stored) {
        committed_ = *stored;
        chosen = OffsetSpec::at(*stored + 1);
      } else {
        chosen = next_offset_ ? OffsetSpec::at(*next_offset_) : options_.start;
      }
    }
    answer.offset_spec = *chosen;
    skip_below_ = chosen->type == OffsetType::offset ? chosen->value : 0;
  } else if (options_.tracking && options_.tracking->auto_commit) {
    commit();  // before the answer, on the same connection: the next one starts after it
  }
  if (lost_ || connection != connection_) co_return;
  active_ = active;
  connection->send(answer, correlation);
}

}  // namespace sluice::client
