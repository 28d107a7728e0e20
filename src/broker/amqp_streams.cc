// SPDX-License-Identifier: Apache-2.0
#include "broker/amqp_streams.h"

#include <algorithm>

#include "base/check.h"
#include "broker/amqp_stream_parts.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

constexpr std::size_t turn_bytes_max = 512 << 10;  // delivered to one reader before others get their turn
constexpr std::size_t kept_bytes_max = 1 << 20;    // of a publisher's buffer
constexpr std::size_t filter_value_bytes_max = 32'767;

}  // namespace

AmqpStreams::AmqpStreams(base::Shard& shard, Broker& broker, Host& host)
    : shard_(shard), broker_(broker), host_(host) {}

AmqpStreams::~AmqpStreams() = default;

AmqpStreams::Side& AmqpStreams::side(std::uint64_t client) {
  auto& side = sides_[client];
  if (!side) {
    side = std::make_unique<Side>(*this, client);
    side->id = broker_.add_client(*side);
  }
  return *side;
}

void AmqpStreams::remove_client(std::uint64_t client) {
  const auto found = sides_.find(client);
  if (found == sides_.end()) return;
  auto& side = *found->second;
  for (const auto& [key, publisher] : side.publishers) std::erase(filled_, publisher.get());
  for (const auto& [token, source] : side.readers) readers_.erase(source);
  broker_.remove_client(side.id);
  sides_.erase(found);
}

bool AmqpStreams::may_publish(std::uint64_t client) const {
  const auto found = sides_.find(client);
  return found == sides_.end() || broker_.may_publish(found->second->id);
}

// -- publishing

const AmqpStreams::StreamName* AmqpStreams::name_of(base::QueueId stream) {
  if (const auto found = names_.find(stream); found != names_.end()) return &found->second;
  names_.clear();
  host_.for_each_stream([&](const QueueRecord& each) {
    names_.emplace(base::QueueId{each.log_id}, StreamName{each.vhost, each.name});
  });
  const auto found = names_.find(stream);
  return found == names_.end() ? nullptr : &found->second;
}

void AmqpStreams::publish(base::QueueId stream, const queue::Message& message,
                          const queue::PublishOrigin& origin) {
  auto* publisher = side(origin.client).publisher(stream, origin.channel);
  if (!publisher) {
    if (origin.number != 0) refused_.push_back(origin);  // heard later, as all answers are
    return;
  }
  if (publisher->pending.empty()) filled_.push_back(publisher);
  publisher->add(message, origin);
}

void AmqpStreams::flush() {
  for (const auto& origin : std::exchange(refused_, {})) host_.note_confirm({origin, false});
  for (auto* publisher : std::exchange(filled_, {})) {
    broker_.publish(publisher->side->id, publisher->token, publisher->entries());
    publisher->clear();
  }
}

// -- consuming

void AmqpStreams::consume(SourceId source, std::uint64_t client, std::string_view vhost,
                          const ConsumeRequest& request, std::uint32_t channel_prefetch, Answer<> answer) {
  auto wanted = to_stream_consume(vhost, request, channel_prefetch, shard_.clock.wall_ms());
  if (!wanted) return answer(std::unexpected(std::move(wanted).error()));
  auto& reader = *(readers_[source] = std::make_unique<Reader>(source, side(client), request.prefetch,
                                                               std::move(*wanted), std::move(answer)));
  if (reader.tracking.empty()) return start(reader);
  broker_.query_offset(reader.request.vhost, reader.request.stream, reader.tracking,
                       [this, source](base::Result<std::uint64_t> stored) { on_place(source, stored); });
}

void AmqpStreams::on_place(SourceId source, const base::Result<std::uint64_t>& stored) {
  const auto found = readers_.find(source);
  if (found == readers_.end()) return;
  auto& reader = *found->second;
  if (stored) {
    reader.request.offset.kind = OffsetSpec::Kind::offset;
    reader.request.offset.offset = *stored + 1;
  } else if (stored.error().code != base::Errc::no_offset) {
    auto answer = std::move(reader.answer);
    drop(reader);
    return answer(std::unexpected(to_refusal(stored.error())));
  }
  start(reader);
}

void AmqpStreams::start(Reader& reader) {
  broker_.add_consumer(
      reader.side->id, reader.token, reader.request,
      [this, source = reader.source](base::Result<Consumer*> consumer) { on_consumer(source, consumer); });
}

void AmqpStreams::on_consumer(SourceId source, const base::Result<Consumer*>& consumer) {
  const auto found = readers_.find(source);
  if (found == readers_.end()) return;
  auto& reader = *found->second;
  auto answer = std::move(reader.answer);
  if (!consumer) {
    drop(reader);
    return answer(std::unexpected(to_refusal(consumer.error())));
  }
  reader.consumer = *consumer;
  // An offset is meant exactly, also one that is still to come; everything else as chunks have it.
  const auto& from = reader.request.offset;
  reader.messages.emplace(desk_, base::Offset{from.kind == OffsetSpec::Kind::offset ? from.offset : 0});
  note_due(reader);
  answer({});
}

void AmqpStreams::remove_consumer(SourceId source) {
  const auto found = readers_.find(source);
  if (found == readers_.end()) return;
  auto& reader = *found->second;
  if (!reader.lost) broker_.remove_consumer(reader.side->id, reader.token);
  drop(reader);
}

void AmqpStreams::drop(Reader& reader) {
  reader.side->readers.erase(reader.token);
  readers_.erase(reader.source);
}

void AmqpStreams::settle(SourceId source, std::span<const base::Offset> offsets, Settlement settlement) {
  const auto found = readers_.find(source);
  if (found == readers_.end()) return;
  auto& reader = *found->second;
  reader.unsettled -= std::min(reader.unsettled, static_cast<std::uint32_t>(offsets.size()));
  note_due(reader);
  const bool read = settlement == Settlement::accepted || settlement == Settlement::rejected;
  if (reader.tracking.empty() || !read) return;
  if (const auto place = reader.places.settle(offsets)) {
    broker_.store_offset(reader.request.vhost, reader.request.stream, reader.tracking, place->value);
  }
}

void AmqpStreams::set_ready(std::uint64_t client) {
  const auto found = sides_.find(client);
  if (found == sides_.end()) return;
  for (const auto source : std::exchange(found->second->stopped, {})) {
    if (const auto reader = readers_.find(source); reader != readers_.end()) note_due(*reader->second);
  }
}

void AmqpStreams::note_due(Reader& reader) {
  if (reader.due || !reader.messages) return;
  reader.due = true;
  due_.push_back(reader.source);
}

void AmqpStreams::run() {
  std::swap(due_, due_before_);
  for (const auto source : due_before_) {
    const auto found = readers_.find(source);
    if (found == readers_.end()) continue;
    found->second->due = false;
    deliver(*found->second);
  }
  due_before_.clear();
  desk_.trim();
  if (!due_.empty() || !filled_.empty() || !refused_.empty()) shard_.mail.send(shard_.id, [] {});
}

void AmqpStreams::deliver(Reader& reader) {
  const auto client = reader.side->client;
  std::size_t bytes = 0;
  while (reader.unsettled < reader.prefetch) {
    if (!host_.is_ready(client)) return reader.side->stopped.push_back(reader.source);
    if (reader.lost) return;
    if (bytes >= turn_bytes_max) return note_due(reader);  // others get their turn
    StreamMessages::Message message;
    auto found = reader.messages->next(message, reader.prefetch - reader.unsettled);
    if (!found) return fail(reader, found.error());
    if (!*found) {
      if (reader.consumer->deliver(1, *reader.messages) == 0) return;  // on_readable comes
      continue;
    }
    bytes += message.amqp10.size();
    hand_over(reader, message);
  }
}

void AmqpStreams::fail(Reader& reader, const base::Error& error) {
  shard_.logger.write(
      base::LogLevel::error, "amqp", "a consumer ends: the stream cannot be read",
      {{"vhost", reader.request.vhost}, {"stream", reader.request.stream}, {"reason", error.text}});
  host_.note_lost(reader.source);
}

void AmqpStreams::hand_over(Reader& reader, const StreamMessages::Message& message) {
  const auto converted = to_basic_.convert(message.amqp10, message.offset.value);
  ++reader.unsettled;
  if (!reader.tracking.empty()) reader.places.add(message.offset);
  Delivery delivery;
  delivery.offset = message.offset;
  delivery.message = {converted.message.exchange, converted.message.routing_key, converted.message.properties,
                      converted.message.body};
  if (!converted.routed) delivery.message.routing_key = reader.request.stream;
  delivery.queue_type = QueueType::stream;
  host_.deliver_stream(reader.source, delivery);
}

// -- events of the stream side

void AmqpStreams::Side::note(Token publisher, std::span<const std::uint64_t> ids, bool accepted) {
  const auto found = channels_.find(publisher);
  if (found == channels_.end()) return;
  for (const auto number : ids) {
    if (number != 0) owner_.host_.note_confirm({{owner_.shard_.id, client, found->second, number}, accepted});
  }
}

void AmqpStreams::Side::on_readable(Token subscription) {
  const auto found = readers.find(subscription);
  if (found != readers.end()) owner_.note_due(*owner_.readers_.at(found->second));
}

void AmqpStreams::Side::on_stream_lost(std::string_view vhost, std::string_view stream) {
  std::erase_if(publishers, [&](const auto& each) {
    auto& publisher = *each.second;
    if (publisher.stream != stream || publisher.vhost != vhost) return false;
    for (const auto& pending : publisher.pending) note(publisher.token, {&pending.number, 1}, false);
    std::erase(owner_.filled_, &publisher);
    channels_.erase(publisher.token);
    return true;
  });
  last_ = nullptr;
  for (const auto& [token, source] : readers) {
    auto& reader = *owner_.readers_.at(source);
    if (reader.request.stream != stream || reader.request.vhost != vhost) continue;
    if (!reader.messages) continue;  // hears it as its answer
    reader.lost = true;
    owner_.host_.note_lost(source);
  }
}

void AmqpStreams::Side::on_flow(bool may_publish) {
  owner_.host_.note_stream_flow(client, may_publish);
}

AmqpStreams::Publisher* AmqpStreams::Side::publisher(base::QueueId stream, std::uint16_t channel) {
  const base::LogId log{stream.value};
  if (last_ && last_->log == log && last_->channel == channel) return last_;
  const auto found = publishers.find({log, channel});
  if (found != publishers.end()) return last_ = found->second.get();
  const auto* name = owner_.name_of(stream);
  const Token token = next_token++;
  if (!name || !owner_.broker_.add_publisher(id, token, name->vhost, name->name, {})) return nullptr;
  channels_.emplace(token, channel);
  auto made = std::make_unique<Publisher>(Publisher{this, token, channel, log, name->vhost, name->name});
  return last_ = (publishers[{log, channel}] = std::move(made)).get();
}

// -- parts

AmqpStreams::Reader::Reader(SourceId id, Side& of, std::uint32_t credit, StreamConsume wanted, Answer<> then)
    : source(id),
      side(&of),
      token(of.next_token++),
      prefetch(credit),
      request(std::move(wanted.request)),
      tracking(std::move(wanted.tracking)),
      answer(std::move(then)) {
  of.readers.emplace(token, source);
}

std::optional<base::Offset> TrackedPlaces::settle(std::span<const base::Offset> offsets) {
  auto at = open_.begin();
  for (const auto offset : offsets) {
    at = std::lower_bound(at, open_.end(), offset,
                          [](const Place& place, base::Offset wanted) { return place.offset < wanted; });
    if (at != open_.end() && at->offset == offset) at->settled = true;
  }
  std::optional<base::Offset> reached;
  for (; !open_.empty() && open_.front().settled; open_.pop_front()) reached = open_.front().offset;
  return reached;
}

void AmqpStreams::Publisher::add(const queue::Message& message, const queue::PublishOrigin& origin) {
  Pending one;
  one.number = origin.number;
  one.begin = bytes.size();
  message::append_amqp10({message.exchange, message.routing_key, message.properties, message.body},
                         message::Keep::convertible, bytes);
  one.body_bytes = bytes.size() - one.begin;
  if (const auto properties = message::decode_properties(message.properties)) {
    const auto value = message::stream_filter_value(*properties);
    if (value && value->size() <= filter_value_bytes_max) {
      bytes.insert(bytes.end(), value->begin(), value->end());
      one.value_bytes = value->size();
    }
  }
  pending.push_back(one);
}

std::span<const PublishEntry> AmqpStreams::Publisher::entries() {
  list.clear();
  for (const auto& one : pending) {
    PublishEntry entry;
    entry.publishing_id = one.number;
    entry.body = base::ByteView(bytes).subspan(one.begin, one.body_bytes);
    entry.filter_value =
        base::as_text(base::ByteView(bytes).subspan(one.begin + one.body_bytes, one.value_bytes));
    list.push_back(entry);
  }
  return list;
}

void AmqpStreams::Publisher::clear() {
  pending.clear();
  bytes.clear();
  if (bytes.capacity() > kept_bytes_max) bytes = {};
}

}  // namespace sluice::broker
