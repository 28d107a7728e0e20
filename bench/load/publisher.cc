// SPDX-License-Identifier: Apache-2.0
#include "publisher.h"

#include <algorithm>
#include <array>

namespace sluice::bench {
namespace {

using streamproto::Key;
using streamproto::ResponseCode;

constexpr std::size_t frame_overhead_bytes = 13;
constexpr std::size_t unsent_bytes_max = 256 * 1024;

}  // namespace

Publisher::Publisher(Link& link, std::uint8_t id, PublishPlan plan)
    : link_(link), id_(id), plan_(std::move(plan)), body_(plan_.message_bytes) {
  for (std::size_t i = 0; i < body_.size(); ++i) body_[i] = static_cast<std::uint8_t>('a' + i * 7 % 26);
  streamproto::DeclarePublisher declare;
  declare.publisher_id = id;
  declare.stream = plan_.stream;
  const ResponseCode code = link_.call<streamproto::DeclarePublisherResponse>(declare);
  if (code != ResponseCode::ok) die("publisher on {}: {}", plan_.stream, streamproto::to_string(code));
  streamproto::PublishFrameWriter writer(frame_, id_, 1);
  for (std::uint32_t i = 0; i < plan_.frame_messages; ++i) writer.add(0, body_);
  writer.finish();
}

void Publisher::append_frame() {
  base::ByteBuffer& out = link_.out();
  const std::size_t at = out.size();
  out.insert(out.end(), frame_.begin(), frame_.end());
  std::uint8_t* id = out.data() + at + frame_overhead_bytes;
  const std::size_t stride = 8 + streamproto::simple_header_bytes + plan_.message_bytes;
  for (std::uint32_t i = 0; i < plan_.frame_messages; ++i, id += stride) base::store_be(id, ++published_);
}

void Publisher::append_filtered_frame(std::uint64_t count) {
  streamproto::PublishFrameWriter writer(link_.out(), id_, plan_.filter_value ? 2 : 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view value = plan_.filter_value ? plan_.filter_value(published_) : std::string_view{};
    std::fill(body_.begin(), body_.begin() + 16, std::uint8_t{' '});
    std::copy_n(value.begin(), std::min<std::size_t>(value.size(), 16), body_.begin());
    writer.add(++published_, body_, value);
  }
  writer.finish();
}

void Publisher::pump() {
  while (!stopped_ && !exhausted() && link_.unsent_bytes() < unsent_bytes_max &&
         published_ - confirmed_ + plan_.frame_messages <= plan_.window_messages) {
    const std::uint64_t left =
        plan_.messages_max == 0 ? plan_.frame_messages : plan_.messages_max - published_;
    if (plan_.filter_value || left < plan_.frame_messages) {
      append_filtered_frame(std::min<std::uint64_t>(left, plan_.frame_messages));
    } else {
      append_frame();
    }
  }
  link_.flush();
}

bool Publisher::on_frame(const streamproto::Frame& frame) {
  if (frame.body.empty() || frame.body[0] != id_) return false;
  if (frame.key() == Key::publish_error) die("{}: messages were refused", plan_.stream);
  if (frame.key() != Key::publish_confirm) return false;
  confirmed_ += base::load_be<std::uint32_t>(frame.body.data() + 1);
  return true;
}

void publish_all(const Broker& broker, PublishPlan plan) {
  Link link(broker);
  Publisher publisher(link, 0, std::move(plan));
  const std::array links{&link};
  while (!publisher.done()) {
    publisher.pump();
    serve(links, second_ns, [&](std::size_t, const streamproto::Frame& frame) { publisher.on_frame(frame); });
  }
}

void delete_stream(Link& link, const std::string& stream) {
  streamproto::Delete request;
  request.stream = stream;
  link.call<streamproto::DeleteResponse>(request);
}

void recreate_stream(Link& link, const std::string& stream, streamproto::Properties arguments) {
  delete_stream(link, stream);
  streamproto::Create request;
  request.stream = stream;
  request.arguments = std::move(arguments);
  const ResponseCode code = link.call<streamproto::CreateResponse>(request);
  if (code != ResponseCode::ok) die("create {}: {}", stream, streamproto::to_string(code));
}

}  // namespace sluice::bench
