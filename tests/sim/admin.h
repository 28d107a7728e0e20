// SPDX-License-Identifier: Apache-2.0
// Creates and deletes streams in the simulated world, asking again after every loss of the connection until
// it has an answer.
#pragma once

#include <deque>

#include "sim/client.h"
#include "sim/model.h"

namespace sluice::sim {

class Admin final : public Client {
 public:
  explicit Admin(Node& node) : Client(node, "admin") {}

  using Arguments = std::vector<std::pair<std::string, std::string>>;
  void create(std::shared_ptr<StreamModel> stream, Arguments arguments);
  // A superstream with these partitions, in this order, for ever.
  void create_super(std::string name, std::vector<std::shared_ptr<StreamModel>> partitions);
  void remove(std::shared_ptr<StreamModel> stream, std::function<void()> done);
  bool idle() const { return jobs_.empty(); }

 private:
  struct Job {
    std::shared_ptr<StreamModel> stream;  // none: a superstream
    bool remove = false;
    Arguments arguments;
    std::function<void()> done;
    std::uint32_t times_asked = 0;
    std::string super_stream = {};
    std::vector<std::shared_ptr<StreamModel>> partitions = {};
    std::string name() const { return stream ? stream->name : super_stream; }
  };
  void on_open() override;
  void next();
  void answered(streamproto::ResponseCode code);

  std::deque<Job> jobs_;  // one at a time
};

}  // namespace sluice::sim
