// SPDX-License-Identifier: Apache-2.0
#include "sim/client.h"

#include "sim/link.h"

namespace sluice::sim {

using namespace streamproto;

namespace {

constexpr std::size_t delivered_bytes_max = 4 << 20;

}  // namespace

Client::~Client() {
  if (link_) link_->hang_up();
}

void Client::connect() {
  if (left_) return;
  link_ = node_.accept(*this);
  if (!link_) return come_back();
  ask(PeerProperties{}, [this](ResponseCode, std::uint64_t) {
    ask(SaslHandshake{}, [this](ResponseCode, std::uint64_t) { authenticate(); });
  });
}

void Client::authenticate() {
  const std::string secret("\0guest\0guest", 12);
  ask(SaslAuthenticate{"PLAIN", base::as_bytes(secret)}, [this](ResponseCode code, std::uint64_t) {
    if (code != ResponseCode::ok) world_.fail("{}: guest is refused: {}", name_, to_string(code));
  });
}

void Client::open() {
  send(TuneResponse{1 << 20, 0});
  ask(Open{"/"}, [this](ResponseCode code, std::uint64_t) {
    if (code != ResponseCode::ok) world_.fail("{}: Open is refused: {}", name_, to_string(code));
    ask(ExchangeCommandVersions{client_command_versions()}, [this](ResponseCode, std::uint64_t) {
      open_ = true;
      on_open();
    });
  });
}

void Client::leave() {
  left_ = true;
  if (link_) link_->hang_up();
  lost();
}

void Client::lost() {
  link_ = nullptr;
  input_.clear();
  answers_.clear();
  const bool was_open = std::exchange(open_, false);
  if (was_open) on_lost();
  come_back();
}

void Client::retry(std::string_view why) {
  world_.note("{}: comes back later: {}", name_, why);
  if (link_) link_->hang_up();
  lost();
}

void Client::come_back() {
  if (left_) return;
  world_.after(world_.dice.between(1000, 300'000), nobody, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->link_) self->connect();
  });
}

void Client::send_bytes(base::ByteView bytes) {
  if (link_) link_->send(bytes);
}

void Client::receive(base::ByteView bytes) {
  const auto self = shared_from_this();
  const auto link = link_;
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  std::size_t used = 0;
  while (link_ == link) {
    const FrameRead read = read_frame(base::ByteView(input_).subspan(used), 0);
    if (read.status == FrameStatus::too_short || read.size_bytes > delivered_bytes_max)
      world_.fail("{}: a frame of {} bytes", name_, read.size_bytes);
    if (read.status != FrameStatus::complete) break;
    const base::ByteBuffer frame(read.frame.body.begin(), read.frame.body.end());
    used += read.size_bytes;
    const auto outcome =
        dispatch(AllCommands{}, {read.frame.raw_key, read.frame.version, frame},
                 [this](std::uint32_t correlation, const auto& message) { on(correlation, message); });
    if (!outcome) world_.fail("{}: a frame that does not parse: {}", name_, outcome.error().text);
  }
  if (link_ == link) input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
}

void Client::on_consumer_update(std::uint32_t, const ConsumerUpdate&) {
  world_.fail("{}: a ConsumerUpdate was not expected", name_);
}

template <class T>
void Client::on(std::uint32_t correlation, const T& message) {
  if constexpr (T::info.response && T::info.correlated && requires { message.code; }) {
    const auto found = answers_.extract(correlation);
    if (found.empty()) world_.fail("{}: an answer nobody asked for: {}", name_, T::info.name);
    std::uint64_t number = 0;
    if constexpr (requires { message.sequence; }) number = message.sequence;
    if constexpr (requires { message.offset; }) number = message.offset;
    found.mapped()(message.code, number);
  } else if constexpr (std::is_same_v<T, Tune>) {
    open();
  } else if constexpr (std::is_same_v<T, Deliver>) {
    on_deliver(message);
  } else if constexpr (std::is_same_v<T, PublishConfirm>) {
    for (std::size_t i = 0; i < message.publishing_ids.size(); ++i)
      on_confirm(message.publishing_ids[i].value);
  } else if constexpr (std::is_same_v<T, PublishError>) {
    for (std::size_t i = 0; i < message.failures.size(); ++i) {
      const PublishFailure failure = message.failures[i];
      on_refused(failure.publishing_id, failure.code);
    }
  } else if constexpr (std::is_same_v<T, MetadataUpdate>) {
    on_stream_gone();
  } else if constexpr (std::is_same_v<T, ConsumerUpdate>) {
    on_consumer_update(correlation, message);
  } else if constexpr (std::is_same_v<T, Close>) {
    world_.fail("{}: closed by the node: {}", name_, message.reason);
  } else if constexpr (std::is_same_v<T, CreditResponse>) {
    // Credit that crossed the end of its subscription.
  } else {
    world_.fail("{}: {} was not expected", name_, T::info.name);
  }
}

}  // namespace sluice::sim
