// SPDX-License-Identifier: Apache-2.0
// How many connections are open in each vhost, over all shards: what a vhost's max-connections is compared
// with. One per node, in the ShardSet. Asked once when a connection opens and once when it ends, which is
// why a lock is good enough; nothing on the way of a message comes here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::broker {

class Occupancy {
  struct Counts {
    std::mutex mutex;
    std::map<std::string, std::int64_t> by_vhost;
  };

 public:
  // Counts as long as it lives.
  class Place {
   public:
    Place(std::shared_ptr<Counts> counts, std::string vhost)
        : counts_(std::move(counts)), vhost_(std::move(vhost)) {}
    ~Place() {
      const std::lock_guard lock(counts_->mutex);
      const auto found = counts_->by_vhost.find(vhost_);
      if (--found->second == 0) counts_->by_vhost.erase(found);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    std::shared_ptr<Counts> counts_;
    std::string vhost_;
  };

  // Null: there are `limit` already. A negative limit is none.
  std::unique_ptr<Place> enter(std::string_view vhost, std::int64_t limit) {
    std::string name(vhost);
    const std::lock_guard lock(counts_->mutex);
    auto& count = counts_->by_vhost[name];
    if (limit >= 0 && count >= limit) return nullptr;
    ++count;
    return std::make_unique<Place>(counts_, std::move(name));
  }

 private:
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace sluice::broker
