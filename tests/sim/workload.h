// SPDX-License-Identifier: Apache-2.0
// One run: what clients and fate do, step by step, drawn from the seed; then all is healed and everything
// that was promised is demanded. Two phases: safety while things break, liveness after.
#pragma once

#include <memory>
#include <vector>

#include "sim/admin.h"
#include "sim/member.h"
#include "sim/publisher.h"
#include "sim/reader.h"

namespace sluice::sim {

class Workload {
 public:
  Workload(World& world, std::uint64_t steps);
  ~Workload();
  void run();
  std::string summary() const;

 private:
  void step();
  void add_stream();
  void delete_stream();
  void add_publisher();
  void add_reader();
  void add_groups();
  void add_member();
  void check_groups(const std::vector<std::shared_ptr<Reader>>& scans) const;
  void publish();
  void make_trouble();
  void restart_within(std::int64_t ms);
  void run_for(std::int64_t ms);
  void heal();
  void check();
  std::shared_ptr<StreamModel> pick_stream();
  Wanted pick_wanted();
  template <class T>
  static void forget_gone(std::vector<std::shared_ptr<T>>& clients);

  World& world_;
  std::uint64_t steps_left_;
  std::unique_ptr<Node> node_;
  std::shared_ptr<Admin> admin_;
  std::vector<std::shared_ptr<StreamModel>> streams_;
  std::vector<std::shared_ptr<Publisher>> publishers_;
  std::vector<std::shared_ptr<Reader>> readers_;
  std::vector<std::shared_ptr<Group>> groups_;
  std::vector<std::shared_ptr<Member>> members_;
  std::vector<std::string> free_names_;  // of deleted streams, to be used again
  std::uint32_t clients_ = 0, named_streams_ = 0;
  std::uint64_t checked_messages_ = 0;
};

}  // namespace sluice::sim
