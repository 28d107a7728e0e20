// SPDX-License-Identifier: Apache-2.0
// The operator's commands for queues, exchanges, connections, policies and vhosts, named and shaped as
// rabbitmqctl's. Part of the list in endpoints.h, which says how a command is declared. `intro` is the line
// that the CLI prints first; names in braces are the request's fields. `refused` is the CLI's exit code for
// what the server refuses, where rabbitmqctl has another than 65.
#pragma once

#include "http/queue_rows.h"
#include "http/request_parts.h"

namespace sluice::http {

struct ListQueues : Listing<ListedQueue> {
  static constexpr std::string_view
      name = "list_queues",
      doc = "Lists queues and their properties",
      intro = "Timeout: {timeout} seconds ...\nListing queues for vhost {vhost} ...";
  struct Request {
    std::string vhost = "/";
    bool online = false, offline = false, local = false;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{field("vhost", &Request::vhost, "virtual host"),
                        field("online", &Request::online, "only those that run"),
                        field("offline", &Request::offline, "only those that are down"),
                        field("local", &Request::local, "only those of this node: all")};
    }
  };
};
struct ListExchanges : Listing<broker::ExchangeRow> {
  static constexpr std::string_view name = "list_exchanges", doc = "Lists exchanges",
                                    intro = "Listing exchanges for vhost {vhost} ...";
  struct Request : VhostRequest {};
};
struct ListBindings : Listing<broker::BindingRow> {
  static constexpr std::string_view name = "list_bindings", doc = "Lists all bindings of a vhost",
                                    intro = "Listing bindings for vhost {vhost}...";
  struct Request : VhostRequest {};
};
struct ListConsumers : Listing<broker::QueueConsumerRow> {
  static constexpr std::string_view name = "list_consumers", doc = "Lists the consumers of queues",
                                    intro = "Listing consumers in vhost {vhost} ...";
  struct Request : VhostRequest {};
};
struct ListConnections : Listing<AnyConnectionRow> {
  static constexpr std::string_view name = "list_connections", doc = "Lists connections of all protocols",
                                    intro = "Listing connections ...";
  struct Request : NoRequest {};
};
struct ListChannels : Listing<NamedChannelRow> {
  static constexpr std::string_view name = "list_channels", doc = "Lists the channels of AMQP connections",
                                    intro = "Listing channels ...";
  struct Request : NoRequest {};
};

struct PurgeQueue : Deed {
  static constexpr std::string_view name = "purge_queue", doc = "Removes all ready messages of a queue",
                                    intro = "Purging queue '{queue}' in vhost '{vhost}' ...";
  static constexpr int refused = 69;
  struct Request : QueueRequest {};
};
struct RewindQueue : Deed {
  static constexpr std::string_view name = "rewind_queue",
                                    doc = "Makes settled messages of a queue with x-retain ready again",
                                    intro = "Rewinding queue '{queue}' in vhost '{vhost}' ...";
  static constexpr int refused = 69;
  struct Request {
    std::string queue;
    std::string vhost = "/";
    std::int64_t offset = -1, timestamp = -1;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{
          field("queue", &Request::queue, "name of the queue", Positional{}),
          field("vhost", &Request::vhost, "virtual host"),
          field("offset", &Request::offset, "of the first message, as stream consumers see it; -1: by time"),
          field("timestamp", &Request::timestamp, "seconds since 1970; -1: from the oldest kept")};
    }
  };
};
struct DeleteQueue : Saying {
  static constexpr std::string_view
      name = "delete_queue",
      doc = "Deletes a queue", intro = "Deleting queue '{queue}' on vhost '{vhost}'{if_empty}{if_unused} ...";
  static constexpr int refused = 64;
  struct Request {
    std::string queue;
    std::string vhost = "/";
    bool if_empty = false, if_unused = false;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{field("queue", &Request::queue, "name of the queue", Positional{}),
                        field("vhost", &Request::vhost, "virtual host"),
                        field("if_empty", &Request::if_empty, "only when it has no messages"),
                        field("if_unused", &Request::if_unused, "only when it has no consumers")};
    }
  };
};
struct CloseConnection : Deed {
  static constexpr std::string_view name = "close_connection", doc = "Closes a client's connection",
                                    intro = "Closing connection {pid}, reason: {reason}...";
  static constexpr int refused = 69;
  struct Request {
    std::string pid, reason;
    static constexpr auto fields() {
      return std::tuple{base::field("pid", &Request::pid, "column pid of list_connections", Positional{}),
                        base::field("reason", &Request::reason, "what the client is told", Positional{})};
    }
  };
};

struct PolicyRequest {
  std::string name, pattern, definition;
  std::string vhost = "/", apply_to = "all";
  std::int64_t priority = 0;
  static constexpr auto fields() {
    using R = PolicyRequest;
    using base::field;
    return std::tuple{
        field("name", &R::name, "of the policy", Positional{}),
        field("pattern", &R::pattern, "regular expression for the names it applies to", Positional{}),
        field("definition", &R::definition, "JSON object of what it says", Positional{}),
        field("vhost", &R::vhost, "virtual host"),
        field("priority", &R::priority, "the highest that matches applies (0)"),
        field("apply_to", &R::apply_to, "all, queues, classic_queues, quorum_queues, streams or exchanges")};
  }
};
struct NamedRequest {
  std::string name;
  std::string vhost = "/";
  static constexpr auto fields() {
    return std::tuple{base::field("name", &NamedRequest::name, "of the policy", Positional{}),
                      base::field("vhost", &NamedRequest::vhost, "virtual host")};
  }
};
struct SetPolicy : Deed {
  static constexpr std::string_view
      name = "set_policy",
      doc = "Sets a policy",
      intro =
          "Setting policy \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority "
          "\"{priority}\" for vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request : PolicyRequest {};
};
struct ListPolicies : Listing<PolicyRow> {
  static constexpr std::string_view name = "list_policies", doc = "Lists policies",
                                    intro = "Listing policies for vhost \"{vhost}\" ...";
  struct Request : VhostRequest {};
};
struct ClearPolicy : Deed {
  static constexpr std::string_view name = "clear_policy", doc = "Removes a policy",
                                    intro = "Clearing policy \"{name}\" on vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request : NamedRequest {};
};
struct SetOperatorPolicy : Deed {
  static constexpr std::string_view
      name = "set_operator_policy",
      doc = "Sets an operator policy, which limits what users' policies say",
      intro =
          "Setting operator policy override \"{name}\" for pattern \"{pattern}\" to \"{definition}\" "
          "with priority \"{priority}\" for vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request : PolicyRequest {};
};
struct ListOperatorPolicies : Listing<PolicyRow> {
  static constexpr std::string_view name = "list_operator_policies", doc = "Lists operator policies",
                                    intro = "Listing operator policy overrides for vhost \"{vhost}\" ...";
  struct Request : VhostRequest {};
};
struct ClearOperatorPolicy : Deed {
  static constexpr std::string_view name = "clear_operator_policy", doc = "Removes an operator policy",
                                    intro = "Clearing operator policy \"{name}\" on vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request : NamedRequest {};
};

struct AddVhost : Deed {
  static constexpr std::string_view name = "add_vhost", doc = "Creates a virtual host",
                                    intro = "Adding vhost \"{vhost}\" ...";
  struct Request {
    std::string vhost, description, default_queue_type;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{field("vhost", &Request::vhost, "its name", Positional{}),
                        field("description", &Request::description, "what it is for"),
                        field("default_queue_type", &Request::default_queue_type,
                              "of queues that do not say: classic, quorum or stream")};
    }
  };
};
struct DeleteVhost : Deed {
  static constexpr std::string_view name = "delete_vhost", doc = "Deletes a virtual host and all in it",
                                    intro = "Deleting vhost \"{vhost}\" ...";
  struct Request {
    std::string vhost;
    static constexpr auto fields() {
      return std::tuple{base::field("vhost", &Request::vhost, "its name", Positional{})};
    }
  };
};
struct ListVhosts : Listing<broker::VhostRow> {
  static constexpr std::string_view name = "list_vhosts", doc = "Lists virtual hosts",
                                    intro = "Listing vhosts ...";
  struct Request : NoRequest {};
};
struct SetVhostLimits : Deed {
  static constexpr std::string_view name = "set_vhost_limits",
                                    doc = "Limits how much a vhost may have, in place of the limits before",
                                    intro =
                                        "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request {
    std::string definition;
    std::string vhost = "/";
    static constexpr auto fields() {
      return std::tuple{
          base::field("definition", &Request::definition,
                      "JSON object with max-queues and max-connections; negative: no limit", Positional{}),
          base::field("vhost", &Request::vhost, "virtual host")};
    }
  };
};
struct ClearVhostLimits : Deed {
  static constexpr std::string_view name = "clear_vhost_limits", doc = "Removes the limits of a vhost",
                                    intro = "Clearing vhost \"{vhost}\" limits ...";
  static constexpr int refused = 69;
  struct Request : VhostRequest {};
};
struct ListVhostLimits : Saying {
  static constexpr std::string_view name = "list_vhost_limits",
                                    doc = "Shows the limits of a vhost, or of all that have some",
                                    intro = "Listing limits for vhost \"{vhost}\" ...";
  struct Request {
    std::string vhost = "/";
    bool global = false;
    static constexpr auto fields() {
      return std::tuple{base::field("vhost", &Request::vhost, "virtual host"),
                        base::field("global", &Request::global, "of all vhosts, as a table")};
    }
  };
};
struct SetPermissions : Deed {
  static constexpr std::string_view name = "set_permissions", doc = "Sets what a user may do in a vhost",
                                    intro =
                                        "Setting permissions for user \"{user}\" in vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request {
    std::string user, configure, write, read;
    std::string vhost = "/";
    static constexpr auto fields() {
      using base::field;
      return std::tuple{
          field("user", &Request::user, "whose", Positional{}),
          field("configure", &Request::configure, "pattern of what may be declared and deleted",
                Positional{}),
          field("write", &Request::write, "pattern of what may be published and bound to", Positional{}),
          field("read", &Request::read, "pattern of what may be consumed and bound from", Positional{}),
          field("vhost", &Request::vhost, "virtual host")};
    }
  };
};
struct SetTopicPermissions : Deed {
  static constexpr std::string_view name = "set_topic_permissions",
                                    doc = "Sets what a user may publish to and bind from a topic exchange",
                                    intro =
                                        "Setting topic permissions on \"{exchange}\" for user \"{user}\" in "
                                        "vhost \"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request {
    std::string user, exchange, write, read;
    std::string vhost = "/";
    static constexpr auto fields() {
      using base::field;
      return std::tuple{
          field("user", &Request::user, "whose", Positional{}),
          field("exchange", &Request::exchange, "topic exchange", Positional{}),
          field("write", &Request::write,
                "pattern of routing keys to publish with; {username} and {vhost} stand for the user's",
                Positional{}),
          field("read", &Request::read, "pattern of routing keys to bind with", Positional{}),
          field("vhost", &Request::vhost, "virtual host")};
    }
  };
};
struct ClearTopicPermissions : Deed {
  static constexpr std::string_view name = "clear_topic_permissions",
                                    doc = "Removes a user's restrictions on one topic exchange or on all",
                                    intro =
                                        "Clearing topic permissions for user \"{user}\" in vhost "
                                        "\"{vhost}\" ...";
  static constexpr int refused = 69;
  struct Request {
    std::string user, exchange;
    std::string vhost = "/";
    static constexpr auto fields() {
      using base::field;
      return std::tuple{field("user", &Request::user, "whose", Positional{}),
                        field("exchange", &Request::exchange, "only of this topic exchange"),
                        field("vhost", &Request::vhost, "virtual host")};
    }
  };
};
struct ListTopicPermissions : Listing<broker::TopicPermissionRecord> {
  static constexpr std::string_view name = "list_topic_permissions",
                                    doc = "Lists the topic permissions of a virtual host",
                                    intro = "Listing topic permissions for vhost \"{vhost}\" ...";
  struct Request : VhostRequest {};
};

}  // namespace sluice::http
