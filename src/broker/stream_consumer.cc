// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_consumer.h"

#include "broker/client_registry.h"
#include "broker/stream_owner.h"

namespace sluice::broker {
namespace {

// Counts what passes through on its way to the session.
class CountingSink final : public ChunkSink {
 public:
  explicit CountingSink(ChunkSink& to) : to_(to) {}
  void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                  std::uint32_t records) override {
    records_ += records;
    to_.file_chunk(std::move(file), position, size, records);
  }
  void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) override {
    records_ += records;
    to_.memory_chunk(parts, records);
  }
  bool full() const override { return to_.full(); }
  std::uint64_t records() const { return records_; }

 private:
  ChunkSink& to_;
  std::uint64_t records_ = 0;
};

}  // namespace

StreamConsumer::StreamConsumer(Host& host, log::Origin origin, LocalStream& stream, const OffsetSpec& from,
                               bool single_active, std::unique_ptr<queue::StreamView> view)
    : host_(host),
      origin_(origin),
      stream_(stream),
      from_(from),
      single_active_(single_active),
      view_(std::move(view)),
      view_version_(stream.view_version),
      delivering_(!single_active) {}

void StreamConsumer::take_newest_view() {
  if (view_version_ == stream_.view_version) return;
  view_version_ = stream_.view_version;
  view_->set_view(stream_.view);
}

base::Result<> StreamConsumer::seek(const OffsetSpec& to) {
  take_newest_view();
  return view_->seek(to_seek(to));
}

std::uint32_t StreamConsumer::deliver(std::uint32_t credits, ChunkSink& sink) {
  if (!delivering_ || failed_) return 0;
  take_newest_view();
  CountingSink counting(sink);
  const auto delivered = view_->deliver(credits, counting);
  messages_delivered_ += counting.records();
  if (!delivered) {
    failed_ = true;
    host_.cannot_read(origin_, delivered.error());
    return 0;
  }
  waiting_ = delivered->stop == queue::Stop::end_of_log;
  if (delivered->stop == queue::Stop::budget_spent) host_.look_again(origin_);
  return delivered->chunks;
}

ConsumerProgress StreamConsumer::progress() const {
  return {view_->next_offset().value, messages_delivered_, view_->chunks_skipped(),
          view_->segments_skipped()};
}

std::uint64_t StreamConsumer::committed_chunk_id() const {
  return stream_.view.last_chunk_id.value_or(base::Offset{0}).value;
}

std::uint64_t StreamConsumer::offset_lag() const {
  const auto end = stream_.view.next_offset;
  const auto next = view_->next_offset();
  return end > next ? end - next : 0;
}

void StreamConsumer::note_update(bool active) {
  unanswered_.push_back(active);
  told_active_ = active;
  if (!active) delivering_ = false;
}

std::optional<bool> StreamConsumer::answer_update(const std::optional<OffsetSpec>& from) {
  if (unanswered_.empty()) return std::nullopt;
  const bool active = unanswered_.front();
  unanswered_.erase(unanswered_.begin());
  if (!active || !told_active_ || !unanswered_.empty()) return active;
  if (auto found = seek(from.value_or(from_)); !found) {
    failed_ = true;
    host_.cannot_read(origin_, found.error());
  } else {
    delivering_ = true;
    host_.look_again(origin_);
  }
  return active;
}

}  // namespace sluice::broker
