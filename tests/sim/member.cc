// SPDX-License-Identifier: Apache-2.0
#include "sim/member.h"

#include <algorithm>

#include "storage/crc32.h"

namespace sluice::sim {

using namespace streamproto;

bool Member::joined() const {
  return !parts_.empty() &&
         std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.joined; });
}

void Member::on_open() {
  start_ = node_.starts();
  ++connections_;
  parts_.assign(group_->places.size(), {});
  for (std::size_t part = 0; part < parts_.size(); ++part) subscribe(part);
}

void Member::subscribe(std::size_t part) {
  const StreamModel& stream = *group_->places[part].stream;
  parts_[part].forgotten = stream.forgotten;
  Subscribe subscribe{static_cast<std::uint8_t>(part + 1), stream.name, OffsetSpec::first(), 10, {}};
  subscribe.properties = {{"single-active-consumer", "true"}, {"name", group_->name}};
  if (!group_->super_stream.empty()) subscribe.properties.push_back({"super-stream", group_->super_stream});
  ask(subscribe, [this, part](ResponseCode code, std::uint64_t) {
    if (code == ResponseCode::ok) {
      parts_[part].joined = true;
      return;
    }
    if (group_->places[part].stream->ending) return leave();
    if (code != ResponseCode::stream_not_available && code != ResponseCode::internal_error)
      world_.fail("{}: Subscribe: {}", name(), to_string(code));
    retry(fmt::format("Subscribe: {}", to_string(code)));
  });
}

void Member::on_lost() {
  for (GroupPlace& place : group_->places)
    if (place.active == this) place.active = nullptr;
  parts_.clear();
}

void Member::on_stream_gone() {
  for (const GroupPlace& place : group_->places)
    if (place.stream->ending) return leave();
  retry("the stream went away");
}

// ---- taking turns

void Member::on_consumer_update(std::uint32_t correlation, const ConsumerUpdate& update) {
  const std::size_t part = update.subscription_id - 1U;
  if (part >= parts_.size() || !parts_[part].joined) world_.fail("{}: an update before it joined", name());
  GroupPlace& place = group_->places[part];
  if (update.active != 0 && place.active != nullptr && place.active != this && place.active->is_present())
    world_.fail("{} is to be active in {} while {} is", name(), place.stream->name, place.active->name());
  if (update.active != 0) {
    place.active = this;
    ++place.handovers;
  }
  parts_[part].active = false;
  ++parts_[part].unanswered;
  const bool slow = world_.dice.one_in(5);
  world_.after(
      world_.dice.between(1, slow ? 500'000 : 2'000), nobody,
      [weak = weak_from_this(), connection = connections_, correlation, part, active = update.active != 0] {
        const auto self = std::static_pointer_cast<Member>(weak.lock());
        if (self && self->is_open() && self->connections_ == connection)
          self->answer(correlation, part, active);
      });
}

void Member::answer(std::uint32_t correlation, std::size_t part, bool active) {
  GroupPlace& place = group_->places[part];
  --parts_[part].unanswered;
  if (!active) {
    if (place.active == this) place.active = nullptr;
    return send(ConsumerUpdateResponse{}, correlation);
  }
  if (place.forgotten != place.stream->forgotten) {
    place.forgotten = place.stream->forgotten;
    place.next = 0;
  }
  parts_[part].active = true;
  parts_[part].first_chunk = true;
  send(ConsumerUpdateResponse{ResponseCode::ok,
                              place.next == 0 ? OffsetSpec::first() : OffsetSpec::at(place.next)},
       correlation);
}

// ---- reading

void Member::on_deliver(const Deliver& deliver) {
  const std::size_t part = deliver.subscription_id - 1U;
  if (part >= parts_.size()) world_.fail("{}: a chunk nobody asked for", name());
  Part& mine = parts_[part];
  GroupPlace& place = group_->places[part];
  StreamModel& stream = *place.stream;
  if (stream.ending || mine.forgotten != stream.forgotten) return;
  const ChunkHeader& header = deliver.chunk.header;
  if (!mine.active || mine.unanswered != 0 || place.active != this)
    world_.fail("{}: chunk {} of {} for a consumer that waits", name(), header.chunk_id, stream.name);
  if (header.crc != storage::crc32(deliver.chunk.data)) world_.fail("{}: wrong checksum", name());
  const std::uint64_t end = header.chunk_id + header.record_count;
  if (header.chunk_id > place.next && !stream.has_retention)
    world_.fail("{}: {} of {} after {} leaves a gap", name(), header.chunk_id, stream.name, place.next);
  if (header.chunk_id < place.next && !mine.first_chunk)
    world_.fail("{}: back to {} of {} after {}", name(), header.chunk_id, stream.name, place.next);
  mine.first_chunk = false;
  std::uint64_t offset = header.chunk_id;
  Entries entries = deliver.chunk.entries();
  for (EntryView entry; entries.next(entry);) read(entry, stream, offset);
  if (offset != end) world_.fail("{}: {} ends at {} instead of {}", name(), header.chunk_id, offset, end);
  place.next = std::max(place.next, end);
  send(Credit{deliver.subscription_id, 1});
}

void Member::read(const EntryView& entry, StreamModel& stream, std::uint64_t& offset) {
  if (!entry.is_sub_batch) return stream.seen(world_, offset++, Message::parse(world_, entry.data));
  Entries inner(entry.data);
  for (EntryView one; inner.next(one);) stream.seen(world_, offset++, Message::parse(world_, one.data));
}

}  // namespace sluice::sim
