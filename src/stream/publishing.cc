// SPDX-License-Identifier: Apache-2.0
#include "stream/publishing.h"

namespace sluice::stream {

using namespace streamproto;

namespace {

constexpr std::size_t batch_entries_max = 1024;  // per broker call; keeps the scratch in the cache

std::uint8_t id_of(broker::Token token) {
  return static_cast<std::uint8_t>(token & 0xFF);
}

broker::PublishEntry broker_entry(const PublishedEntry& from) {
  broker::PublishEntry entry;
  entry.publishing_id = from.publishing_id;
  entry.filter_value = from.filter_value;
  entry.body = from.entry.data;
  entry.is_sub_batch = from.entry.is_sub_batch;
  entry.compression = static_cast<std::uint8_t>(from.entry.compression);
  entry.records = from.entry.record_count;
  entry.uncompressed_bytes = from.entry.uncompressed_bytes;
  return entry;
}

}  // namespace

Publishing::Publisher* Publishing::settle(broker::Token token, std::size_t answered) {
  const std::uint8_t id = id_of(token);
  if (id >= publishers_.size() || !publishers_[id] || publishers_[id]->token != token) return nullptr;
  Publisher& publisher = *publishers_[id];
  answered = std::min(answered, publisher.outstanding);
  publisher.outstanding -= answered;
  give_credit(answered);
  return &publisher;
}

void Publishing::remove(std::uint8_t id) {
  give_credit(publishers_[id]->outstanding);  // what the broker says about these from now on is late
  publishers_[id].reset();
  --count_;
}

// ---- declaring

void Publishing::on(std::uint32_t correlation, const DeclarePublisher& request) {
  DeclarePublisherResponse response;
  response.code = declare(request);
  connection_.send(response, correlation);
}

// In the order in which RabbitMQ tells its errors.
ResponseCode Publishing::declare(const DeclarePublisher& request) {
  broker::Broker& broker = connection_.broker();
  if (broker.disk_alarm() || count_ >= publishers_max) return ResponseCode::precondition_failed;
  const bool may_write = connection_.allowed(broker::Permission::write, request.stream);
  if (!may_write) return ResponseCode::access_refused;
  if (request.reference.size() > reference_bytes_max) return ResponseCode::precondition_failed;
  const std::uint8_t id = request.publisher_id;
  if (id < publishers_.size() && publishers_[id]) return ResponseCode::precondition_failed;
  for (const auto& other : publishers_) {
    if (other && !request.reference.empty() && other->reference == request.reference &&
        other->stream == request.stream) {
      return ResponseCode::precondition_failed;
    }
  }
  auto publisher = std::make_unique<Publisher>();
  publisher->token = (++generation_ << 8) | id;
  publisher->stream = request.stream;
  publisher->reference = request.reference;
  const auto added = broker.add_publisher(connection_.client, publisher->token, connection_.vhost,
                                          request.stream, request.reference);
  if (!added) return response_code(added);
  if (publishers_.size() <= id) publishers_.resize(id + std::size_t{1});
  publishers_[id] = std::move(publisher);
  ++count_;
  stopped_ = !broker.may_publish(connection_.client);
  return ResponseCode::ok;
}

void Publishing::on(std::uint32_t correlation, const DeletePublisher& request) {
  DeletePublisherResponse response;
  const std::uint8_t id = request.publisher_id;
  if (id < publishers_.size() && publishers_[id]) {
    connection_.broker().remove_publisher(connection_.client, publishers_[id]->token);
    remove(id);
  } else {
    response.code = ResponseCode::publisher_does_not_exist;
  }
  connection_.send(response, correlation);
}

void Publishing::on(std::uint32_t correlation, const QueryPublisherSequence& request) {
  const auto answer = [this, correlation](ResponseCode code, std::uint64_t sequence) {
    connection_.send(QueryPublisherSequenceResponse{code, sequence}, correlation);
  };
  if (!connection_.allowed(broker::Permission::read, request.stream))
    return answer(ResponseCode::access_refused, 0);
  if (!connection_.broker().stream_exists(connection_.vhost, request.stream)) {
    return answer(ResponseCode::stream_does_not_exist, 0);
  }
  connection_.broker().publisher_sequence(
      connection_.vhost, request.stream, request.reference,
      connection_.await<std::uint64_t>([answer](base::Result<std::uint64_t> sequence) {
        answer(response_code(sequence), sequence.value_or(0));
      }));
}

// ---- publishing

base::Result<> Publishing::on(const Publish& request) {
  const std::uint8_t id = request.publisher_id;
  Publisher* publisher = id < publishers_.size() ? publishers_[id].get() : nullptr;
  PublishEntries entries = request.entries;
  if (publisher == nullptr) {
    refuse_rest(id, nullptr, entries, ResponseCode::publisher_does_not_exist);
    return {};
  }
  const SubBatchLimits limits{connection_.options().max_uncompressed_sub_entry_batch_size};
  auto& batch = connection_.context().publish_scratch;
  batch.clear();
  PublishedEntry entry;
  for (PublishEntries rest = entries; entries.next(entry); rest = entries) {
    if (!is_valid(entry.entry, limits)) {
      // Refusing all that follow keeps the sequence of stored ids without gaps.
      flush(*publisher, batch);
      refuse_rest(id, publisher, rest, ResponseCode::precondition_failed);
      return {};
    }
    batch.push_back(broker_entry(entry));
    if (batch.size() >= batch_entries_max) flush(*publisher, batch);
  }
  if (!entries.ok()) return base::fail(base::Errc::malformed, "Publish: an entry does not parse");
  flush(*publisher, batch);
  return {};
}

void Publishing::flush(Publisher& publisher, std::vector<broker::PublishEntry>& batch) {
  if (batch.empty()) return;
  publisher.published += batch.size();
  publisher.outstanding += batch.size();
  credit_ -= static_cast<std::int64_t>(batch.size());
  if (credit_ <= 0 && !out_of_credit_) {
    out_of_credit_ = true;
    connection_.metrics().publishers_blocked.add();
  }
  connection_.metrics().messages_received.add(batch.size());
  connection_.metrics().messages_received_confirm.add(batch.size());
  connection_.broker().publish(connection_.client, publisher.token, batch);
  batch.clear();
  stopped_ = !connection_.broker().may_publish(connection_.client);
}

void Publishing::refuse_rest(std::uint8_t id, Publisher* publisher, PublishEntries entries,
                             ResponseCode code) {
  std::vector<std::uint64_t> ids;
  PublishedEntry entry;
  while (entries.next(entry)) ids.push_back(entry.publishing_id);
  if (ids.empty()) return;
  if (publisher != nullptr) publisher->errored += ids.size();
  connection_.count(code, ids.size());
  write_publish_error(id, ids, code, connection_.begin_frame());
  connection_.end_frame();
}

// ---- events

void Publishing::give_credit(std::size_t messages) {
  credit_ += static_cast<std::int64_t>(messages);
  if (credit_ > connection_.options().credits_required_for_unblocking) out_of_credit_ = false;
}

void Publishing::on_confirmed(broker::Token token, std::span<const std::uint64_t> ids) {
  connection_.metrics().messages_confirmed.add(ids.size());
  Publisher* publisher = settle(token, ids.size());
  if (publisher == nullptr || ids.empty()) return;
  publisher->confirmed += ids.size();
  write_publish_confirm(id_of(token), ids, connection_.begin_frame());
  connection_.end_frame();
}

void Publishing::on_refused(broker::Token token, std::span<const std::uint64_t> ids, base::Errc why) {
  Publisher* publisher = settle(token, ids.size());
  if (publisher == nullptr || ids.empty()) return;
  publisher->errored += ids.size();
  const ResponseCode code = response_code(why);
  connection_.count(code, ids.size());
  write_publish_error(id_of(token), ids, code, connection_.begin_frame());
  connection_.end_frame();
}

bool Publishing::forget_stream(std::string_view stream) {
  bool any = false;
  for (std::size_t id = 0; id < publishers_.size(); ++id) {
    if (!publishers_[id] || publishers_[id]->stream != stream) continue;
    remove(static_cast<std::uint8_t>(id));
    any = true;
  }
  return any;
}

void Publishing::drop_forbidden(std::vector<std::string>& streams) {
  for (std::size_t id = 0; id < publishers_.size(); ++id) {
    const Publisher* publisher = publishers_[id].get();
    if (publisher == nullptr || connection_.allowed(broker::Permission::write, publisher->stream)) continue;
    streams.push_back(publisher->stream);
    connection_.broker().remove_publisher(connection_.client, publisher->token);
    remove(static_cast<std::uint8_t>(id));
  }
}

void Publishing::list(std::vector<broker::PublisherRow>& into) const {
  for (std::size_t id = 0; id < publishers_.size(); ++id) {
    const Publisher* publisher = publishers_[id].get();
    if (publisher == nullptr) continue;
    broker::PublisherRow row;
    row.connection = connection_.name();
    row.vhost = connection_.vhost;
    row.stream = publisher->stream;
    row.reference = publisher->reference;
    row.publisher_id = static_cast<std::uint32_t>(id);
    row.messages_published = publisher->published;
    row.messages_confirmed = publisher->confirmed;
    row.messages_errored = publisher->errored;
    into.push_back(std::move(row));
  }
}

}  // namespace sluice::stream
