// SPDX-License-Identifier: Apache-2.0
// What a session says of itself in listings: list_connections and list_channels.
#include "amqp/session.h"

namespace sluice::amqp {

broker::ConnectionRow Session::describe() const {
  const base::PeerInfo& peer = connection_.peer();
  broker::ConnectionRow row;
  row.conn_name = connection_.name();
  row.user_provided_name = connection_.user_provided_name;
  row.protocol = "AMQP 0-9-1";
  row.host = peer.host;
  row.port = peer.port;
  row.peer_host = peer.peer_host;
  row.peer_port = peer.peer_port;
  row.user = connection_.caller.identity.user;
  row.vhost = connection_.caller.vhost;
  row.connection_state = !connection_.is_open() ? "closing"
                         : !alarm_.empty()      ? (publish_waits_ ? "blocked" : "blocking")
                         : publish_waits_       ? "flow"
                                                : "running";
  row.auth_mechanism = connection_.mechanism;
  row.heartbeat = connection_.heartbeat_s;
  row.frame_max = connection_.frame_bytes;
  row.channel_max = connection_.channel_max;
  row.channels = static_cast<std::uint32_t>(channels_.count());
  row.connected_at = connection_.connected_at_ms;
  row.recv_oct = received_bytes_;
  row.recv_cnt = received_frames_;
  row.send_oct = connection_.sent_bytes();
  row.send_cnt = connection_.sent_frames();
  row.send_pend = connection_.outbox().pending_bytes();
  if (auto table = base::decode_field_table(connection_.client_properties); table) {
    row.client_properties = std::move(*table);
  }
  return row;
}

void Session::list_channels(std::vector<broker::ChannelRow>& into) const {
  channels_.for_each([&](const Channel& channel) {
    broker::ChannelRow& row = into.emplace_back();
    row.connection = connection_.name();
    row.user = connection_.caller.identity.user;
    row.vhost = connection_.caller.vhost;
    row.number = channel.number;
    row.consumer_count = static_cast<std::uint32_t>(channel.consumers.size());
    row.messages_unacknowledged = channel.unsettled.size();
    row.messages_unconfirmed = channel.confirming ? channel.confirms.outstanding() : 0;
    row.transactional = channel.transaction != nullptr;
    if (channel.transaction) {
      row.messages_uncommitted = channel.transaction->publishes();
      row.acks_uncommitted = channel.transaction->settled.size();
    }
    row.confirm = channel.confirming;
    row.prefetch_count = channel.prefetch;
    row.global_prefetch_count = channel.shared_prefetch;
    row.state = channel.closing ? "closing" : "running";
  });
}

}  // namespace sluice::amqp
