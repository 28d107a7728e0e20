// SPDX-License-Identifier: Apache-2.0
// All commands, in order of their keys. Everything that must know every command walks these lists: dispatch()
// here, the ExchangeCommandVersions answer (server_command_versions), PROTOCOL.md (document.h), the tests and
// the fuzzer. A new command is a file in commands/ and a line here.
#pragma once

#include "streamproto/commands/close.h"
#include "streamproto/commands/consumer_update.h"
#include "streamproto/commands/create.h"
#include "streamproto/commands/create_super_stream.h"
#include "streamproto/commands/credit.h"
#include "streamproto/commands/declare_publisher.h"
#include "streamproto/commands/delete_publisher.h"
#include "streamproto/commands/delete_stream.h"
#include "streamproto/commands/delete_super_stream.h"
#include "streamproto/commands/deliver.h"
#include "streamproto/commands/exchange_command_versions.h"
#include "streamproto/commands/heartbeat.h"
#include "streamproto/commands/metadata.h"
#include "streamproto/commands/metadata_update.h"
#include "streamproto/commands/open.h"
#include "streamproto/commands/partitions.h"
#include "streamproto/commands/peer_properties.h"
#include "streamproto/commands/publish.h"
#include "streamproto/commands/publish_confirm.h"
#include "streamproto/commands/publish_error.h"
#include "streamproto/commands/query_offset.h"
#include "streamproto/commands/query_publisher_sequence.h"
#include "streamproto/commands/resolve_offset_spec.h"
#include "streamproto/commands/route.h"
#include "streamproto/commands/sasl_authenticate.h"
#include "streamproto/commands/sasl_handshake.h"
#include "streamproto/commands/store_offset.h"
#include "streamproto/commands/stream_stats.h"
#include "streamproto/commands/subscribe.h"
#include "streamproto/commands/tune.h"
#include "streamproto/commands/unsubscribe.h"

namespace sluice::streamproto {

template <Command... Ts>
struct CommandList {};

using AllCommands = CommandList<
    DeclarePublisher, DeclarePublisherResponse, Publish, PublishConfirm, PublishError, QueryPublisherSequence,
    QueryPublisherSequenceResponse, DeletePublisher, DeletePublisherResponse, Subscribe, SubscribeResponse,
    Deliver, Credit, CreditResponse, StoreOffset, QueryOffset, QueryOffsetResponse, Unsubscribe,
    UnsubscribeResponse, Create, CreateResponse, Delete, DeleteResponse, Metadata, MetadataResponse,
    MetadataUpdate, PeerProperties, PeerPropertiesResponse, SaslHandshake, SaslHandshakeResponse,
    SaslAuthenticate, SaslAuthenticateResponse, Tune, TuneResponse, Open, OpenResponse, Close, CloseResponse,
    Heartbeat, Route, RouteResponse, Partitions, PartitionsResponse, ConsumerUpdate, ConsumerUpdateResponse,
    ExchangeCommandVersions, ExchangeCommandVersionsResponse, StreamStats, StreamStatsResponse,
    CreateSuperStream, CreateSuperStreamResponse, DeleteSuperStream, DeleteSuperStreamResponse,
    ResolveOffsetSpec, ResolveOffsetSpecResponse>;

// f.template operator()<T>() for every command.
template <Command... Ts, class F>
constexpr void for_each_command(CommandList<Ts...>, F&& f) {
  (f.template operator()<Ts>(), ...);
}

namespace detail {

template <Command T, class Visitor>
bool dispatch_to(const Frame& frame, Visitor& visitor, base::Result<>& outcome) {
  if (frame.raw_key != T::info.raw_key() || !T::info.has_version(frame.version)) return false;
  auto received = decode<T>(frame.body, frame.version);
  if (received) {
    visitor(received->correlation, received->message);
  } else {
    outcome = std::unexpected(std::move(received).error());
  }
  return true;
}

}  // namespace detail

// Decodes the frame as the command of the list that its key and version name, and calls visitor(correlation,
// message). Malformed when there is none or its body does not parse; the visitor is not called then.
template <Command... Ts, class Visitor>
base::Result<> dispatch(CommandList<Ts...>, const Frame& frame, Visitor&& visitor) {
  base::Result<> outcome;
  if ((detail::dispatch_to<Ts>(frame, visitor, outcome) || ...)) return outcome;
  return base::fail(base::Errc::malformed, "unknown command: key " + std::to_string(frame.raw_key) +
                                               ", version " + std::to_string(frame.version));
}

// What this code knows, for the ExchangeCommandVersions exchange: the server's list.
std::vector<CommandVersions> server_command_versions();
// The same for a client: what it can receive.
std::vector<CommandVersions> client_command_versions();

// "DeclarePublisher" for key 1, "?" for a key nobody knows. For logs.
std::string_view command_name(Key key);

}  // namespace sluice::streamproto
