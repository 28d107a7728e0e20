// SPDX-License-Identifier: Apache-2.0
#include "sim/publisher.h"

namespace sluice::sim {

using namespace streamproto;

namespace {

constexpr std::size_t old_max = 5;
constexpr std::size_t waiting_max = 2000;

}  // namespace

Publisher::Publisher(Node& node, std::uint32_t id, std::shared_ptr<StreamModel> stream, bool with_reference)
    : Client(node, fmt::format("publisher {} of {}", id, stream->name)),
      id_(id),
      stream_(std::move(stream)),
      reference_(with_reference ? fmt::format("reference-{}", id) : ""),
      with_filter_(!world_.dice.one_in(4)) {}

void Publisher::on_open() {
  // What a power cut may have taken must not be sent again as if it were there: its id may be passed by now.
  if (epoch_ != stream_->forgotten) old_.clear();
  epoch_ = stream_->forgotten;
  ask(DeclarePublisher{0, reference_, stream_->name}, [this](ResponseCode code, std::uint64_t) {
    if (code != ResponseCode::ok) return on_refusal(code, "DeclarePublisher");
    if (!reference_.empty()) return ask_sequence();
    ready_ = true;
  });
}

void Publisher::ask_sequence() {
  ask(QueryPublisherSequence{reference_, stream_->name}, [this](ResponseCode code, std::uint64_t sequence) {
    if (code != ResponseCode::ok) return on_refusal(code, "QueryPublisherSequence");
    if (epoch_ == 0 && !stream_->ending && sequence < confirmed_id_)
      world_.fail("{}: sequence {} after {} was confirmed", name(), sequence, confirmed_id_);
    ready_ = true;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, batch] : waiting_) ids.push_back(id);
    if (!ids.empty()) send_entries(ids);
  });
}

void Publisher::on_refusal(ResponseCode code, std::string_view request) {
  if (stream_->ending) return leave();
  if (code == ResponseCode::stream_does_not_exist) world_.fail("{}: {}: the stream is gone", name(), request);
  retry(fmt::format("{}: {}", request, to_string(code)));
}

void Publisher::on_lost() {
  ready_ = false;
  if (reference_.empty()) waiting_.clear();
}

void Publisher::on_stream_gone() {
  if (stream_->ending) return leave();
  retry("the stream went away");
}

Publisher::Batch Publisher::make_batch(std::uint64_t publishing_id) {
  static constexpr const char* countries[] = {"KR", "JP", "DE", "FR", "US"};
  std::string value;
  if (with_filter_) {
    const std::uint64_t kind = world_.dice.below(10);
    if (kind < 6) value = world_.dice.pick(countries);
    if (kind >= 8) value = fmt::format("dev-{}", world_.dice.below(200));
  }
  Batch batch(world_.dice.one_in(6) ? 1 + world_.dice.below(numbers_per_id) : 1);
  for (std::size_t i = 0; i < batch.size(); ++i)
    batch[i] = {{id_, publishing_id * numbers_per_id + i}, value, world_.dice.between(0, 100)};
  return batch;
}

void Publisher::publish_some() {
  if (!ready_ || waiting_.size() > waiting_max) return;
  std::vector<std::uint64_t> ids;
  if (!reference_.empty() && !old_.empty() && world_.dice.one_in(10)) {
    const auto& [id, batch] = world_.dice.pick(old_);
    if (waiting_.emplace(id, batch).second) ids.push_back(id);
  }
  const std::uint64_t count = world_.dice.one_in(10) ? world_.dice.below(300) : 1 + world_.dice.below(10);
  for (std::uint64_t i = 0; i < count; ++i) {
    waiting_.emplace(next_id_, make_batch(next_id_));
    ids.push_back(next_id_++);
  }
  send_entries(ids);
}

void Publisher::send_entries(const std::vector<std::uint64_t>& ids) {
  base::ByteBuffer bytes;
  PublishFrameWriter frame(bytes, 0, with_filter_ ? 2 : 1);
  base::ByteBuffer packed;
  for (const std::uint64_t id : ids) {
    const Batch& batch = waiting_.at(id);
    const std::string& value = batch.front().filter_value;
    if (batch.size() == 1 && id % 7 != 0) {
      frame.add(id, batch.front().bytes(), value);
      continue;
    }
    packed.clear();
    for (const Message& message : batch) write_simple_entry(message.bytes(), packed);
    frame.add_sub_batch(id, Compression::none, static_cast<std::uint16_t>(batch.size()),
                        static_cast<std::uint32_t>(packed.size()), packed, value);
  }
  frame.finish();
  send_bytes(bytes);
}

void Publisher::on_confirm(std::uint64_t publishing_id) {
  const auto found = waiting_.extract(publishing_id);
  if (found.empty()) world_.fail("{}: {} is confirmed, but does not wait", name(), publishing_id);
  if (epoch_ != stream_->forgotten) return;  // was under way when the power went
  for (const Message& message : found.mapped()) stream_->confirmed(message.id);
  confirmed_id_ = std::max(confirmed_id_, publishing_id);
  old_.emplace_back(publishing_id, std::move(found.mapped()));
  if (old_.size() > old_max) old_.pop_front();
}

void Publisher::on_refused(std::uint64_t publishing_id, ResponseCode code) {
  if (stream_->ending) return;
  if (code == ResponseCode::stream_does_not_exist) world_.fail("{}: the stream is gone", name());
  if (!waiting_.contains(publishing_id))
    world_.fail("{}: {} is refused, but does not wait", name(), publishing_id);
  if (reference_.empty()) waiting_.erase(publishing_id);
  if (!ready_) return;
  ready_ = false;
  world_.note("{}: {} is refused: {}", name(), publishing_id, to_string(code));
  // Others of the same frame follow; then a new connection.
  world_.after(1000, nobody, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->is_open())
      static_cast<Publisher&>(*self).on_stream_gone();
  });
}

}  // namespace sluice::sim
