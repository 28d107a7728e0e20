// SPDX-License-Identifier: Apache-2.0
// What the commands of node_endpoints.h do: their words are read here, with what is wrong with them said; the
// broker's Administration does the rest, and its answer becomes rows or a sentence.
#include <fmt/format.h>

#include <charconv>

#include "base/options.h"
#include "http/commands.h"

namespace sluice::http {
namespace {

constexpr std::int64_t delayed_rows_max = 100'000;

base::Result<double> parse_part(const std::string& text) {
  double part = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
  if (error == std::errc{} && end == text.data() + text.size() && part >= 0 && part <= 1) return part;
  return base::fail(base::Errc::malformed,
                    fmt::format("'{}' is no part of the machine's memory: give a number from 0 to 1", text));
}

base::Result<std::uint64_t> parse_bytes(const std::string& text) {
  const auto size = base::parse_byte_size(text);
  if (size) return size->value;
  return base::fail(base::Errc::malformed,
                    fmt::format("'{}' is no size: give bytes, or a size such as 500MiB or 2GB", text));
}

std::string closed(std::uint64_t count) {
  return fmt::format("Closed {} connections", count);
}

}  // namespace

void Commands::on(const ListDelayedMessages::Request& request, Rows<broker::ScheduledRow> done) {
  if (request.limit < 1 || request.limit > delayed_rows_max) {
    return done(base::fail(base::Errc::malformed, fmt::format("limit: from 1 to {}", delayed_rows_max)));
  }
  broker_.administration()->list_delayed(request.vhost, static_cast<std::size_t>(request.limit),
                                         std::move(done));
}

void Commands::on(const CancelDelayedMessage::Request& request, Rows<NoRow> done) {
  broker_.administration()->cancel_delayed(request.vhost, request.id, no_rows<void>(std::move(done)));
}

void Commands::on(const SetMemoryWatermark::Request& request, Rows<NoRow> done) {
  broker::MemoryPart limit;
  if (request.limit == "absolute") {
    auto bytes = parse_bytes(request.value);
    if (!bytes) return done(std::unexpected(bytes.error()));
    limit.bytes = *bytes;
  } else {
    auto part = parse_part(request.limit);
    if (!part) return done(std::unexpected(part.error()));
    limit.part = *part;
  }
  broker_.administration()->set_memory_limit(limit, no_rows<void>(std::move(done)));
}

void Commands::on(const SetDiskFreeLimit::Request& request, Rows<NoRow> done) {
  broker::MemoryPart limit;
  if (request.limit == "mem_relative") {
    auto part = parse_part(request.value);
    if (!part) return done(std::unexpected(part.error()));
    limit.part = *part;
  } else {
    auto bytes = parse_bytes(request.limit);
    if (!bytes) return done(std::unexpected(bytes.error()));
    limit.bytes = *bytes;
  }
  broker_.administration()->set_disk_limit(limit, no_rows<void>(std::move(done)));
}

void Commands::on(const CloseAllConnections::Request& request, Rows<TextRow> done) {
  broker_.administration()->close_connections(request.vhost, {}, request.reason,
                                              saying<std::uint64_t>(std::move(done), closed));
}

void Commands::on(const CloseAllUserConnections::Request& request, Rows<TextRow> done) {
  broker_.administration()->close_connections({}, request.username, request.reason,
                                              saying<std::uint64_t>(std::move(done), closed));
}

void Commands::on(const ListUsers::Request&, Rows<broker::UserRow> done) {
  broker_.administration()->list_users(std::move(done));
}

void Commands::on(const ListPermissions::Request& request, Rows<broker::PermissionRecord> done) {
  broker_.administration()->list_permissions(request.vhost, std::move(done));
}

}  // namespace sluice::http
