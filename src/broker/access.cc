// SPDX-License-Identifier: Apache-2.0
#include "broker/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::broker {
namespace {

constexpr std::size_t salt_bytes = 4;

std::string hash_with(std::string_view salt, std::string_view password) {
  std::string input(salt);
  input.append(password);
  std::string result(salt);
  result.resize(salt.size() + EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  const int ok =
      EVP_Digest(input.data(), input.size(), reinterpret_cast<unsigned char*>(result.data()) + salt.size(),
                 &size, EVP_sha256(), nullptr);
  INVARIANT(ok == 1, "SHA-256 is not available");
  OPENSSL_cleanse(input.data(), input.size());
  result.resize(salt.size() + size);
  return result;
}

bool password_matches(std::string_view password, std::string_view hash) {
  if (hash.size() <= salt_bytes) return false;
  const auto given = hash_with(hash.substr(0, salt_bytes), password);
  return given.size() == hash.size() && CRYPTO_memcmp(given.data(), hash.data(), hash.size()) == 0;
}

}  // namespace

std::string hash_password(std::string_view password, std::uint32_t salt) {
  std::uint8_t bytes[salt_bytes];
  base::store_be(bytes, salt);
  return hash_with(base::as_text(bytes), password);
}

base::Result<Identity> LocalAccess::authenticate(const Credentials& credentials) const {
  const auto& name = credentials.anonymous ? options_.anonymous_login_user : credentials.user;
  const auto* user = catalog_.user(name);
  const bool known = user && !(credentials.anonymous && (name.empty() || name == "none"));
  if (!known || (!credentials.anonymous && !password_matches(credentials.password, user->password_hash))) {
    return base::fail(base::Errc::authentication_failed, fmt::format("user \"{:.64}\": login refused", name));
  }
  const auto& local_only = options_.loopback_users.names;
  if (!credentials.loopback && std::ranges::find(local_only, name) != local_only.end()) {
    return base::fail(base::Errc::loopback_only,
                      fmt::format("user \"{}\" may only connect from this machine (loopback_users)", name));
  }
  return Identity{user->name, user->tags};
}

base::Result<> LocalAccess::open_vhost(const Identity& identity, std::string_view vhost) const {
  if (!catalog_.vhost(vhost)) {
    return base::fail(base::Errc::vhost_access_refused,
                      fmt::format("vhost \"{:.64}\" does not exist", vhost));
  }
  if (!catalog_.permission(vhost, identity.user)) {
    return base::fail(base::Errc::vhost_access_refused,
                      fmt::format("user \"{}\" has no permission in vhost \"{}\"", identity.user, vhost));
  }
  return {};
}

// An empty pattern matches the empty name only, as in RabbitMQ.
bool LocalAccess::matches(std::string_view pattern, std::string_view resource) const {
  constexpr std::size_t patterns_max = 1000;
  if (pattern == ".*") return true;
  if (pattern.empty()) return resource.empty();
  auto found = patterns_.find(pattern);
  if (found == patterns_.end()) {
    auto made = NamePattern::compile(pattern);
    if (!made) return false;
    if (patterns_.size() >= patterns_max) patterns_.clear();
    found = patterns_.emplace(pattern, std::move(*made)).first;
  }
  return found->second.matches(resource);
}

base::Result<> LocalAccess::check(const Identity& identity, std::string_view vhost, Permission permission,
                                  std::string_view resource) const {
  const auto* record = catalog_.permission(vhost, identity.user);
  const auto pattern = [&]() -> std::string_view {
    if (!record) return {};
    switch (permission) {
      case Permission::configure:
        return record->configure;
      case Permission::write:
        return record->write;
      case Permission::read:
        return record->read;
    }
    return {};
  }();
  if (matches(pattern, resource)) return {};
  constexpr std::string_view words[] = {"configure", "write", "read"};
  return base::fail(base::Errc::access_refused,
                    fmt::format("user \"{}\" may not {} \"{:.64}\" in vhost \"{}\"", identity.user,
                                words[static_cast<std::size_t>(permission)], resource, vhost));
}

bool LocalAccess::restricts_topics(const Identity& identity, std::string_view vhost,
                                   std::string_view exchange) const {
  return catalog_.topic_permission(vhost, identity.user, exchange) != nullptr;
}

base::Result<> LocalAccess::check_topic(const Identity& identity, std::string_view vhost,
                                        std::string_view exchange, Permission permission,
                                        std::string_view routing_key) const {
  const auto* record = catalog_.topic_permission(vhost, identity.user, exchange);
  if (!record) return {};
  const bool write = permission == Permission::write;
  std::string pattern = write ? record->write : record->read;
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::string_view>{"{username}", identity.user}, {"{vhost}", vhost}}) {
    for (auto at = pattern.find(name); at != std::string::npos; at = pattern.find(name, at + value.size()))
      pattern.replace(at, name.size(), value);
  }
  if (matches(pattern, routing_key)) return {};
  return base::fail(
      base::Errc::access_refused,
      fmt::format("{} access to topic '{}' in exchange topic '{}' in vhost '{}' refused for user '{}'",
                  write ? "write" : "read", routing_key, exchange, vhost, identity.user));
}

}  // namespace sluice::broker
