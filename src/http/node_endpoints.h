// SPDX-License-Identifier: Apache-2.0
// The operator's commands for the node itself and for who uses it: limits of memory and disk, connections,
// users, permissions; and for messages that wait to be delivered later. Part of the list in endpoints.h.
#pragma once

#include "broker/administration.h"
#include "http/request_parts.h"
#include "http/rows.h"

namespace sluice::http {

template <>
struct Description<broker::ScheduledRow> {
  static constexpr auto fields() {
    using R = broker::ScheduledRow;
    using base::field;
    return std::tuple{field("id", &R::id, "what cancel_delayed_message takes", Shown{}),
                      field("exchange", &R::exchange, "it was published to", Shown{}),
                      field("routing_key", &R::routing_key, "it was published with", Shown{}),
                      field("due_at", &R::due_ms, "ms since the epoch", Shown{}),
                      field("received_at", &R::received_at_ms, "ms since the epoch"),
                      field("message_bytes", &R::bytes, "of the body", Shown{}),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::UserRow> {
  static constexpr auto fields() {
    using R = broker::UserRow;
    return std::tuple{base::field("user", &R::name, "its name", Shown{}),
                      base::field("tags", &R::tags, "what it may do besides", Shown{})};
  }
};

template <>
struct Description<broker::PermissionRecord> {
  static constexpr auto fields() {
    using R = broker::PermissionRecord;
    using base::field;
    return std::tuple{field("user", &R::user, "whose", Shown{}),
                      field("configure", &R::configure, "what may be declared and deleted", Shown{}),
                      field("write", &R::write, "what may be published and bound to", Shown{}),
                      field("read", &R::read, "what may be consumed and bound from", Shown{}),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

struct ListDelayedMessages : Listing<broker::ScheduledRow> {
  static constexpr std::string_view name = "list_delayed_messages",
                                    doc = "Lists messages that x-delayed-message exchanges hold back",
                                    intro = "Listing delayed messages for vhost {vhost} ...";
  struct Request {
    std::string vhost = "/";
    std::int64_t limit = 1000;
    static constexpr auto fields() {
      return std::tuple{base::field("vhost", &Request::vhost, "virtual host"),
                        base::field("limit", &Request::limit, "how many at most, the next due first (1000)")};
    }
  };
};
struct CancelDelayedMessage : Deed {
  static constexpr std::string_view name = "cancel_delayed_message",
                                    doc = "Drops a delayed message before it is delivered",
                                    intro = "Cancelling delayed message {id} in vhost '{vhost}' ...";
  struct Request {
    std::string id;
    std::string vhost = "/";
    static constexpr auto fields() {
      return std::tuple{base::field("id", &Request::id, "column id of list_delayed_messages", Positional{}),
                        base::field("vhost", &Request::vhost, "virtual host")};
    }
  };
};

struct SetMemoryWatermark : Deed {
  static constexpr std::string_view
      name = "set_vm_memory_high_watermark",
      doc = "Sets above how much memory publishers are stopped, until the next start",
      intro = "Setting memory threshold to {limit} {value}...";
  struct Request {
    std::string limit, value;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{
          field("limit", &Request::limit, "a part of the machine's memory (0.6), or the word absolute",
                Positional{}),
          field("value", &Request::value, "after absolute: a size such as 2GB", Positional{}, Optional{})};
    }
  };
};
struct SetDiskFreeLimit : Deed {
  static constexpr std::string_view
      name = "set_disk_free_limit",
      doc = "Sets below how much free disk publishers are stopped, until the next start",
      intro = "Setting disk free limit to {limit} {value}...";
  struct Request {
    std::string limit, value;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{
          field("limit", &Request::limit, "a size such as 50MB, or the word mem_relative", Positional{}),
          field("value", &Request::value, "after mem_relative: a part of the machine's memory", Positional{},
                Optional{})};
    }
  };
};

struct CloseAllConnections : Saying {
  static constexpr std::string_view name = "close_all_connections",
                                    doc = "Closes the connections of all clients, or of a vhost's",
                                    intro = "Closing all connections, reason: {reason}...";
  struct Request {
    std::string reason, vhost;
    static constexpr auto fields() {
      return std::tuple{base::field("reason", &Request::reason, "what the clients are told", Positional{}),
                        base::field("vhost", &Request::vhost, "only those of this virtual host")};
    }
  };
};
struct CloseAllUserConnections : Saying {
  static constexpr std::string_view name = "close_all_user_connections",
                                    doc = "Closes all connections of a user",
                                    intro = "Closing connections of user {username}, reason: {reason}...";
  struct Request {
    std::string username, reason;
    static constexpr auto fields() {
      return std::tuple{base::field("username", &Request::username, "whose", Positional{}),
                        base::field("reason", &Request::reason, "what the clients are told", Positional{})};
    }
  };
};

struct ListUsers : Listing<broker::UserRow> {
  static constexpr std::string_view name = "list_users", doc = "Lists users and their tags",
                                    intro = "Listing users ...";
  struct Request : NoRequest {};
};
struct ListPermissions : Listing<broker::PermissionRecord> {
  static constexpr std::string_view name = "list_permissions", doc = "Lists the permissions of a vhost",
                                    intro = "Listing permissions for vhost \"{vhost}\" ...";
  struct Request : VhostRequest {};
};

}  // namespace sluice::http
