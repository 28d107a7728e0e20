// SPDX-License-Identifier: Apache-2.0
// Subscriptions: the owner shard gives the view (and a place in the group of single active consumers), the
// session's shard reads the files.
#include <fmt/format.h>

#include "base/check.h"
#include "broker/shard_broker.h"

namespace sluice::broker {

struct ShardBroker::Asked {
  log::Origin origin;
  base::LogId log;
  SubscribeRequest request;
  filters::FilterPlan plan;
  Done<Consumer*> done;
};

base::Result<filters::FilterPlan> ShardBroker::plan_for(const SubscribeRequest& request) const {
  filters::FilterSpec spec;
  for (const auto& [key, value] : request.properties) {
    if (key.starts_with("filter.")) {
      spec.values.push_back(value);
    } else if (key == "match-unfiltered") {
      spec.match_unfiltered = value == "true";
    } else if (key == "filter-expr") {
      spec.expression = value;
    } else if (key == "filter-field") {
      spec.field = value;
    } else if (key == "filter-mode") {
      if (value != "auto" && value != "chunk" && value != "exact") {
        return base::fail(base::Errc::precondition_failed,
                          fmt::format("filter-mode \"{:.64}\": give auto, chunk or exact", value));
      }
      spec.mode = value == "chunk"   ? filters::FilterMode::chunk
                  : value == "exact" ? filters::FilterMode::exact
                                     : filters::FilterMode::automatic;
    }
  }
  auto plan = filters::make_plan(spec);
  if (!plan) {
    shard_.logger.write(
        base::LogLevel::info, "stream", "filter refused",
        {{"vhost", request.vhost}, {"stream", request.stream}, {"reason", plan.error().text}});
  }
  return plan;
}

void ShardBroker::add_consumer(ClientId client, Token subscription, SubscribeRequest request,
                               Done<Consumer*> done) {
  auto* state = clients_.find(client.value);
  INVARIANT(state && !state->consumers.contains(subscription), "subscription {} of client {}", subscription,
            client.value);
  auto queue = find_queue(request.vhost, request.stream);
  if (!queue) return done(std::unexpected(std::move(queue).error()));
  const auto log = (*queue)->log();
  if (const auto down = down_.find(log); down != down_.end()) {
    return done(base::fail(base::Errc::stream_unavailable,
                           fmt::format("\"{}\" is down: {}", request.stream, down->second)));
  }
  std::optional<OpenStream::Join> join;
  if (request.single_active) {
    if (request.name.empty()) {
      return done(base::fail(base::Errc::precondition_failed, "a single active consumer needs a name"));
    }
    const auto index = request.super_stream.empty()
                           ? -1
                           : catalog_.partition_index(request.vhost, request.super_stream, request.stream);
    join.emplace(request.name, index, request.subscription_id, state->client->describe().conn_name);
  }
  auto plan = plan_for(request);
  if (!plan) return done(std::unexpected(std::move(plan).error()));

  const log::Origin origin{client.value, subscription};
  state->consumers.emplace(subscription, nullptr);
  auto& stream = clients_.use_stream(log, set_.owner_of(log), request.vhost, request.stream);
  ++stream.attaching;
  on_shard(stream.owner, [home = shard_.id, join = std::move(join),
                          asked = Asked{origin, log, std::move(request), std::move(*plan), std::move(done)}](
                             ShardBroker& there) mutable {
    auto view = there.owner_.attach(asked.log, asked.origin, std::move(join));
    there.on_shard(home, [asked = std::move(asked), view = std::move(view)](ShardBroker& here) mutable {
      here.on_attached(std::move(asked), std::move(view));
    });
  });
}

void ShardBroker::on_attached(Asked asked, base::Result<storage::LogView> view) {
  auto& stream = *clients_.stream(asked.log);
  --stream.attaching;
  const auto origin = asked.origin;
  auto* state = clients_.find(origin.client);
  const bool wanted = state && state->consumers.contains(origin.token);
  const auto queue = find_queue(asked.request.vhost, asked.request.stream);
  base::Result<Consumer*> result;
  if (!wanted) {
    result = base::fail(base::Errc::precondition_failed, "unsubscribed meanwhile");
  } else if (!view) {
    result = std::unexpected(view.error());
  } else if (!queue || (*queue)->log() != asked.log) {
    result = base::fail(base::Errc::stream_not_found, "the stream was deleted meanwhile");
  } else {
    stream.view = *view;
    ++stream.view_version;
    auto consumer = std::make_unique<StreamConsumer>(
        *this, origin, stream, asked.request.offset, asked.request.single_active,
        queue::StreamView::open(shard_, set_.log_directory(asked.log), *view, std::move(asked.plan),
                                &set_.view_metrics(shard_.id)));
    auto found = asked.request.single_active ? base::Result<>() : consumer->seek(asked.request.offset);
    if (found) {
      result = consumer.get();
      stream.consumers.push_back(consumer.get());
      state->consumers[origin.token] = std::move(consumer);
      metrics_.consumers.add();
    } else {
      result = std::unexpected(std::move(found).error());
    }
  }
  if (!result) {
    if (wanted) state->consumers.erase(origin.token);
    if (view) {
      on_shard(stream.owner,
               [log = asked.log, origin](ShardBroker& there) { there.owner_.detach(log, origin); });
    }
    clients_.drop_if_unused(stream);
  }
  if (state) asked.done(std::move(result));
}

void ShardBroker::remove_consumer(ClientId client, Token subscription) {
  auto* state = clients_.find(client.value);
  if (state) drop_consumer(*state, {client.value, subscription}, true);
}

void ShardBroker::drop_consumer(ClientState& state, log::Origin origin, bool tell_owner) {
  const auto found = state.consumers.find(origin.token);
  if (found == state.consumers.end()) return;
  if (found->second) {
    metrics_.consumers.sub();
    auto& stream = found->second->stream();
    if (tell_owner) {
      on_shard(stream.owner,
               [log = stream.log, origin](ShardBroker& there) { there.owner_.detach(log, origin); });
    }
  }
  clients_.drop_consumer(state, origin);
}

void ShardBroker::consumer_updated(ClientId client, Token subscription, std::optional<OffsetSpec> from) {
  auto* state = clients_.find(client.value);
  if (!state) return;
  const auto found = state->consumers.find(subscription);
  if (found == state->consumers.end() || !found->second) return;
  const auto active = found->second->answer_update(from);
  if (!active || *active) return;
  auto& stream = found->second->stream();
  on_shard(stream.owner, [log = stream.log, origin = found->second->origin()](ShardBroker& there) {
    there.owner_.stepped_down(log, origin);
  });
}

// -- StreamConsumer::Host

void ShardBroker::look_again(log::Origin consumer) {
  look_again_.push_back(consumer);
  if (look_again_.size() == 1) shard_.mail.send(shard_.id, [this] { look_again_now(); });
}

void ShardBroker::look_again_now() {
  for (const auto origin : std::exchange(look_again_, {})) {
    auto* state = clients_.find(origin.client);
    if (state && state->consumers.contains(origin.token)) state->client->on_readable(origin.token);
  }
}

void ShardBroker::cannot_read(log::Origin consumer, const base::Error& error) {
  const auto* state = clients_.find(consumer.client);
  auto& stream = state->consumers.at(consumer.token)->stream();
  metrics_.consumer_errors.add();
  shard_.logger.write(base::LogLevel::error, "stream", "a subscription ends: the stream cannot be read",
                      {{"vhost", stream.vhost}, {"stream", stream.name}, {"reason", error.text}});
  shard_.mail.send(
      shard_.id, [this, client = consumer.client, log = stream.log] { lose_stream_for(client, log, true); });
}

}  // namespace sluice::broker
