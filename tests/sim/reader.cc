// SPDX-License-Identifier: Apache-2.0
#include "sim/reader.h"

#include "storage/crc32.h"

namespace sluice::sim {

using namespace streamproto;

Reader::Reader(Node& node, std::string name, std::shared_ptr<StreamModel> stream, Wanted wanted,
               std::optional<std::uint64_t> from)
    : Client(node, std::move(name)), stream_(std::move(stream)), wanted_(std::move(wanted)), from_(from) {}

void Reader::start_over() {
  received_.clear();
  next_.reset();
  from_ = 0;
  epoch_ = stream_->forgotten;
}

void Reader::on_open() {
  if (epoch_ != stream_->forgotten) start_over();
  if (!stored_.empty()) query_offset({});
  subscribed_ = false;
  first_chunk_ = true;
  credit_ = initial_credit_ = 1 + world_.dice.below(10);
  Subscribe subscribe{1, stream_->name, OffsetSpec::next(), static_cast<std::uint16_t>(credit_), {}};
  if (next_) {
    subscribe.offset_spec = OffsetSpec::at(*next_);
  } else if (from_) {
    subscribe.offset_spec = *from_ == 0 ? OffsetSpec::first() : OffsetSpec::at(*from_);
  }
  std::deque<std::string> keys;
  for (const std::string& value : wanted_.values)
    subscribe.properties.push_back({keys.emplace_back(fmt::format("filter.{}", keys.size())), value});
  if (wanted_.match_unfiltered) subscribe.properties.push_back({"match-unfiltered", "true"});
  if (!wanted_.expression.empty()) {
    subscribe.properties.push_back({"filter-expr", wanted_.expression});
    subscribe.properties.push_back({"filter-field", "country"});
  }
  if (!wanted_.mode.empty()) subscribe.properties.push_back({"filter-mode", wanted_.mode});
  ask(subscribe, [this](ResponseCode code, std::uint64_t) {
    if (code == ResponseCode::ok) {
      subscribed_ = true;
      return;
    }
    if (stream_->ending) return leave();
    if (code == ResponseCode::stream_does_not_exist || code == ResponseCode::precondition_failed)
      world_.fail("{}: Subscribe: {}", this->name(), to_string(code));
    retry(fmt::format("Subscribe: {}", to_string(code)));
  });
}

void Reader::on_stream_gone() {
  if (stream_->ending) return leave();
  retry("the stream went away");
}

void Reader::on_deliver(const Deliver& deliver) {
  if (stream_->ending || epoch_ != stream_->forgotten) return;
  const ChunkHeader& header = deliver.chunk.header;
  if (!subscribed_ || deliver.subscription_id != 1) world_.fail("{}: a chunk nobody asked for", name());
  if (credit_ == 0) world_.fail("{}: a chunk without credit", name());
  --credit_;
  ++chunks_;
  if (header.magic != chunk_magic || header.type != ChunkType::user)
    world_.fail("{}: chunk with magic {} and type {}", name(), header.magic, static_cast<int>(header.type));
  if (header.crc != storage::crc32(deliver.chunk.data)) world_.fail("{}: wrong checksum", name());
  check_place(header);
  first_chunk_ = false;

  Entries entries = deliver.chunk.entries();
  EntryView entry;
  std::uint64_t offset = header.chunk_id;
  std::uint32_t count = 0;
  while (entries.next(entry)) {
    ++count;
    read_entry(entry, offset);
  }
  if (!entries.ok() || count != header.entry_count || offset != header.chunk_id + header.record_count)
    world_.fail("{}: chunk {} has {} entries and {} messages, its header says {} and {}", name(),
                header.chunk_id, count, offset - header.chunk_id, header.entry_count, header.record_count);
  next_ = offset;
  give_credit();
  if (world_.dice.one_in(30)) store_offset();
}

void Reader::check_place(const ChunkHeader& header) {
  const std::uint64_t end = header.chunk_id + header.record_count;
  if (header.record_count == 0) world_.fail("{}: an empty chunk", name());
  const auto expected = next_ ? next_ : from_;
  if (!expected) {
    if (!wanted_.filtered()) from_ = header.chunk_id;  // it asked for `next`: it began here
    return;
  }
  // An offset beyond the end means the end: what comes may lie before what was asked for.
  if (!next_ && *expected > 0 && end <= *expected) return;
  if (end <= *expected) world_.fail("{}: chunk [{}, {}) after {}", name(), header.chunk_id, end, *expected);
  if (header.chunk_id < *expected && !first_chunk_)
    world_.fail("{}: back to {} after {}", name(), header.chunk_id, *expected);
  if (header.chunk_id > *expected && !wanted_.filtered() && !stream_->has_retention)
    world_.fail("{}: {} after {} leaves a gap", name(), header.chunk_id, *expected);
}

void Reader::read_entry(const EntryView& entry, std::uint64_t& offset) {
  bool wanted = false;
  const auto take = [&](base::ByteView body) {
    const Message message = Message::parse(world_, body);
    wanted |= wanted_.matches(message);
    stream_->seen(world_, offset, message);
    received_.emplace(offset++, message);
  };
  if (entry.is_sub_batch) {
    Entries inner(entry.data);
    EntryView one;
    while (inner.next(one)) take(one.data);
  } else {
    take(entry.data);
  }
  if (!wanted && wanted_.exact()) world_.fail("{}: offset {} was not asked for", name(), offset - 1);
}

void Reader::give_credit() {
  // A node sends on only when credit is above half of what the subscription began with.
  const std::uint64_t needed = initial_credit_ / 2 + 1;
  if (credit_ >= needed && !world_.dice.one_in(3)) return;
  const std::uint64_t missing = needed - std::min(credit_, needed);
  const auto granted = static_cast<std::uint16_t>(missing + world_.dice.below(3));
  const std::int64_t delay_us = world_.dice.one_in(20) ? 300'000 : 2000;
  world_.after(world_.dice.between(1, delay_us), nobody, [weak = weak_from_this(), granted] {
    const auto self = std::static_pointer_cast<Reader>(weak.lock());
    if (!self || !self->is_open() || !self->subscribed_) return;
    self->credit_ += granted;
    self->send(Credit{1, granted});
  });
}

void Reader::store_offset() {
  stored_.insert(*next_);
  send(StoreOffset{name(), stream_->name, *next_});
  if (world_.dice.one_in(3)) query_offset(next_);
}

// `exactly`: what was stored last on this connection. Otherwise anything that was stored at some time, or
// nothing.
void Reader::query_offset(std::optional<std::uint64_t> exactly) {
  ask(QueryOffset{name(), stream_->name}, [this, exactly](ResponseCode code, std::uint64_t offset) {
    if (stream_->ending || code == ResponseCode::stream_not_available) return;
    const bool found = code == ResponseCode::ok;
    if (!found && code != ResponseCode::no_offset)
      world_.fail("{}: QueryOffset: {}", name(), to_string(code));
    if (exactly && (!found || offset != *exactly))
      world_.fail("{}: stored {}, the answer is {} ({})", name(), *exactly, offset, to_string(code));
    if (found && !stored_.contains(offset)) world_.fail("{}: {} was never stored", name(), offset);
  });
}

void Reader::check(const std::map<std::uint64_t, Message>& all) {
  if (!from_) return;
  for (const auto& [offset, message] : all) {
    if (offset < *from_ || !wanted_.matches(message) || received_.contains(offset)) continue;
    world_.fail(
        "{}: offset {} (message {}:{}, value '{}', temp {}) did not come; {} did, next is {}, credit is {}",
        name(), offset, message.id.publisher, message.id.number, message.filter_value, message.temp,
        received_.size(), next_.value_or(0), credit_);
  }
}

}  // namespace sluice::sim
