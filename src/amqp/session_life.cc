// SPDX-License-Identifier: Apache-2.0
// The life of a session: opening with the broker of its shard, moving to the shard of its queues, and the
// ends of it - the client's good-bye, the broker's, and a socket that is gone.
#include <memory>

#include "amqp/session.h"
#include "base/check.h"

namespace sluice::amqp {

using namespace wire;

Session::Session(Context& context, base::Transport& transport)
    : connection_(context, transport),
      handshake_(connection_),
      channels_(connection_),
      publishing_(connection_, channels_),
      consuming_(connection_, channels_),
      topology_(connection_, channels_),
      watch_(connection_.now_ms()) {
  connection_.metrics().connections.add();
  connection_.metrics().connections_opened.add();
}

Session::~Session() {
  on_closed();
  if (!moving_) connection_.metrics().connections.sub();
  connection_.metrics().connections_closed.add();
}

void Session::on_closed() {
  if (connection_.is_open() && registered_) {
    connection_.log(base::LogLevel::warning, "closing AMQP connection",
                    "client unexpectedly closed TCP connection");
  }
  connection_.on_closed();
  leave();
}

void Session::open() {
  broker::Caller& caller = connection_.caller;
  caller.client = connection_.broker().add_client(*this);
  registered_ = true;
  connection_.context().node.open_connections.fetch_add(1, std::memory_order_relaxed);
  connection_.enter(State::open);
  connection_.send(0, ConnectionOpenOk{});
  connection_.messaging().attach(caller, *this);
}

void Session::leave() {
  if (!std::exchange(registered_, false)) return;
  Node& node = connection_.context().node;
  if (moving_) {  // the process ends meanwhile; the old shard's broker has forgotten it
    node.open_connections.fetch_sub(1, std::memory_order_relaxed);
    node.open_channels.fetch_sub(static_cast<std::uint32_t>(channels_.count()), std::memory_order_relaxed);
    return;
  }
  channels_.settlements.flush();
  channels_.drop_all();
  connection_.broker().remove_client(connection_.caller.client);
  connection_.place.reset();
  node.open_connections.fetch_sub(1, std::memory_order_relaxed);
}

// ---- moving

// Only before anything of it lies on this shard: a broker would have to be asked about that.
bool Session::move_to_queue(const Frame& frame) {
  if (frame.type != FrameType::method || !connection_.is_open() || frame.payload.size() < 4) return false;
  std::string_view exchange, key;
  const auto arguments = frame.payload.subspan(4);
  const MethodId id = method_of(frame);
  Channel* const channel = channels_.find_open(frame.channel);
  if (channel == nullptr) return false;
  const auto take_queue = [&](std::string_view name) { key = name.empty() ? channel->last_queue : name; };
  const bool uses_queue = MethodList<BasicPublish, BasicConsume, BasicGet>::dispatch(
      id, arguments,
      [&]<class M>(const M& method) {
        if constexpr (std::is_same_v<M, BasicPublish>) {
          exchange = method.exchange, key = method.routing_key;
        } else {
          take_queue(method.queue);
        }
      },
      [](const base::Error&) {});
  if (!uses_queue) return false;
  placed_ = true;
  const std::vector<Context*>& contexts = connection_.context().node.contexts;
  if (contexts.size() < 2 || !channels_.unused()) return false;
  const auto home = connection_.messaging().home_of(connection_.caller, exchange, key);
  if (!home || home->value >= contexts.size() || !connection_.move_to(*home)) return false;
  channels_.settlements.flush();
  connection_.broker().remove_client(connection_.caller.client);
  channels_.leave_shard();
  connection_.metrics().connections.sub();
  moving_ = true;
  return true;
}

void Session::on_moved(base::ShardId shard, base::Transport& transport) {
  INVARIANT(moving_, "moved without having asked");
  moving_ = false;
  connection_.rebind(*connection_.context().node.contexts[shard.value], transport);
  connection_.metrics().connections.add();
  channels_.join_shard();
  connection_.caller.client = connection_.broker().add_client(*this);
  connection_.messaging().attach(connection_.caller, *this);
}

// ---- good-bye

void Session::on_goodbye() {
  const auto end = [this] {
    leave();
    connection_.send(0, ConnectionCloseOk{});
    connection_.finish();
  };
  if (!registered_) return end();
  channels_.settlements.flush();
  connection_.begin_wait();
  const auto answers = std::make_shared<std::size_t>(channels_.count() + 1);
  const auto step = [this, end, answers, alive = connection_.alive()](const broker::Outcome<>&) {
    if (alive.expired() || --*answers > 0) return;
    connection_.end_wait();
    end();
  };
  channels_.for_each([&](const Channel& channel) {
    connection_.messaging().close_channel(connection_.caller, channel.number, step);
  });
  connection_.messaging().delete_exclusive_queues(connection_.caller, step);
}

void Session::on_close_requested(std::string_view reason) {
  connection_.close_with(
      {static_cast<std::uint16_t>(ReplyCode::connection_forced), std::string(reason), true}, {});
  connection_.wake();
}

void Session::on_shutdown() {
  if (connection_.is_open()) on_close_requested("broker forced connection closure with reason 'shutdown'");
}

}  // namespace sluice::amqp
