// SPDX-License-Identifier: Apache-2.0
// All methods in one list; dispatch, the method table of the documents and the tests follow from it.
#pragma once

#include "amqp/wire/methods/access.h"
#include "amqp/wire/methods/basic.h"
#include "amqp/wire/methods/channel.h"
#include "amqp/wire/methods/confirm.h"
#include "amqp/wire/methods/connection.h"
#include "amqp/wire/methods/exchange.h"
#include "amqp/wire/methods/queue.h"
#include "amqp/wire/methods/tx.h"

namespace sluice::amqp::wire {

template <class... Ms>
struct MethodList {
  // f(type_identity<M>) for every method, in order of ids.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f(std::type_identity<Ms>{}), ...);
  }
  // Decodes the arguments of method `id` and calls f(method). False when there is no such method; a Result
  // error of decode goes to `malformed`.
  template <class F, class Malformed>
  static bool dispatch(MethodId id, base::ByteView arguments, F&& f, Malformed&& malformed) {
    const auto one = [&]<class M>(std::type_identity<M>) {
      if (!(M::id == id)) return false;
      auto method = decode<M>(arguments);
      if (method) {
        f(*method);
      } else {
        malformed(method.error());
      }
      return true;
    };
    return (one(std::type_identity<Ms>{}) || ...);
  }
};

using Methods = MethodList<
    ConnectionStart, ConnectionStartOk, ConnectionSecure, ConnectionSecureOk, ConnectionTune,
    ConnectionTuneOk, ConnectionOpen, ConnectionOpenOk, ConnectionClose, ConnectionCloseOk, ConnectionBlocked,
    ConnectionUnblocked, ConnectionUpdateSecret, ConnectionUpdateSecretOk, ChannelOpen, ChannelOpenOk,
    ChannelFlow, ChannelFlowOk, ChannelClose, ChannelCloseOk, AccessRequest, AccessRequestOk, ExchangeDeclare,
    ExchangeDeclareOk, ExchangeDelete, ExchangeDeleteOk, ExchangeBind, ExchangeBindOk, ExchangeUnbind,
    ExchangeUnbindOk, QueueDeclare, QueueDeclareOk, QueueBind, QueueBindOk, QueuePurge, QueuePurgeOk,
    QueueDelete, QueueDeleteOk, QueueUnbind, QueueUnbindOk, BasicQos, BasicQosOk, BasicConsume,
    BasicConsumeOk, BasicCancel, BasicCancelOk, BasicPublish, BasicReturn, BasicDeliver, BasicGet, BasicGetOk,
    BasicGetEmpty, BasicAck, BasicReject, BasicRecoverAsync, BasicRecover, BasicRecoverOk, BasicNack,
    ConfirmSelect, ConfirmSelectOk, TxSelect, TxSelectOk, TxCommit, TxCommitOk, TxRollback, TxRollbackOk>;

}  // namespace sluice::amqp::wire
