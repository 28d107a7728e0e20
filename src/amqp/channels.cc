// SPDX-License-Identifier: Apache-2.0
#include "amqp/channels.h"

#include <algorithm>

namespace sluice::amqp {

using namespace wire;

namespace {

std::string method_name(MethodId id) {
  std::string name = "none";
  Methods::for_each([&]<class M>(std::type_identity<M>) {
    if (M::id == id) name = M::name;
  });
  return name;
}

}  // namespace

Channel* Channels::find(std::uint16_t number) {
  if (last_found_ < channels_.size() && channels_[last_found_]->number == number) {
    return channels_[last_found_].get();
  }
  const auto at = std::ranges::lower_bound(channels_, number, {}, [](const auto& c) { return c->number; });
  if (at == channels_.end() || (*at)->number != number) return nullptr;
  last_found_ = static_cast<std::size_t>(at - channels_.begin());
  return at->get();
}

Channel* Channels::find_open(std::uint16_t number) {
  Channel* const channel = find(number);
  return channel == nullptr || channel->closing ? nullptr : channel;
}

void Channels::on_open(std::uint16_t number) {
  const auto refuse_open = [&](std::unexpected<broker::Refusal> why) {
    connection_.close_with(why.error(), {});
  };
  if (connection_.channel_max != 0 && channels_.size() >= connection_.channel_max) {
    return refuse_open(refuse(ReplyCode::not_allowed,
                              "number of channels opened ({}) has reached the negotiated channel_max ({})",
                              channels_.size(), connection_.channel_max));
  }
  std::atomic<std::uint32_t>& open = connection_.context().node.open_channels;
  const std::uint32_t node_max = connection_.options().channel_max_per_node;
  if (node_max != 0 && open.load(std::memory_order_relaxed) >= node_max) {
    return refuse_open(
        refuse(ReplyCode::not_allowed,
               "number of channels opened on node '{}' has reached the maximum allowed limit of ({})",
               connection_.context().node.cluster_name, node_max));
  }
  open.fetch_add(1, std::memory_order_relaxed);
  const auto at = std::ranges::lower_bound(channels_, number, {}, [](const auto& c) { return c->number; });
  auto channel = std::make_unique<Channel>(number);
  channel->generation = ++generations_;
  channel->prefetch = connection_.options().default_consumer_prefetch;
  channels_.insert(at, std::move(channel));
  connection_.metrics().channels.add();
  connection_.metrics().channels_opened.add();
  connection_.send(number, ChannelOpenOk{});
}

void Channels::on_close(Channel& channel) {
  if (channel.closing) return connection_.send(channel.number, ChannelCloseOk{});
  release(channel, await<void>(channel, ChannelClose::id, [this](Channel& released) {
            connection_.send(released.number, ChannelCloseOk{});
            erase(released);
          }));
}

void Channels::on_close_ok(Channel& channel) {
  erase(channel);
}

void Channels::fail(Channel& channel, const broker::Refusal& why, MethodId method) {
  if (why.connection) return connection_.close_with(why, method);
  const std::string text = reply_text(why);
  connection_.metrics().channel_errors.add();
  connection_.log(base::LogLevel::error, "Channel error on connection",
                  fmt::format("channel {}: operation {} caused a channel exception: {}", channel.number,
                              method_name(method), text));
  if (!channel.closing) release(channel, [](broker::Outcome<>) {});
  channel.closing = true;
  connection_.send(channel.number, ChannelClose{why.code, text, method.class_id, method.method_id});
}

void Channels::release(Channel& channel, broker::Answer<> answer) {
  settlements.flush();
  if (channel.transaction && channel.transaction->committing) connection_.end_wait();
  connection_.metrics().consumers.sub(channel.consumers.size());
  unsettled -= channel.unsettled.size();
  if (channel.assembly) assembling_bytes -= channel.assembly->body.size();
  Channel bare(channel.number);
  bare.generation = channel.generation;
  channel = std::move(bare);
  connection_.messaging().close_channel(connection_.caller, channel.number, std::move(answer));
}

void Channels::erase(const Channel& channel) {
  connection_.context().node.open_channels.fetch_sub(1, std::memory_order_relaxed);
  connection_.metrics().channels.sub();
  connection_.metrics().channels_closed.add();
  std::erase_if(channels_, [&](const auto& one) { return one.get() == &channel; });
}

bool Channels::unused() const {
  return unsettled == 0 && std::ranges::all_of(channels_, [](const auto& channel) {
           return channel->consumers.empty() && !channel->reply_consumer && !channel->transaction &&
                  !channel->assembly && channel->shared_prefetch == 0 && channel->confirms.outstanding() == 0;
         });
}

void Channels::drop_all() {
  for (const auto& channel : channels_) {
    connection_.metrics().consumers.sub(channel->consumers.size());
    connection_.context().node.open_channels.fetch_sub(1, std::memory_order_relaxed);
    connection_.metrics().channels.sub();
    connection_.metrics().channels_closed.add();
  }
  channels_.clear();
  unsettled = 0;
  assembling_bytes = 0;
}

}  // namespace sluice::amqp
