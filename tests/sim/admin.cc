// SPDX-License-Identifier: Apache-2.0
#include "sim/admin.h"

namespace sluice::sim {

using namespace streamproto;

void Admin::create(std::shared_ptr<StreamModel> stream, Arguments arguments) {
  jobs_.push_back({std::move(stream), false, std::move(arguments), nullptr});
  if (jobs_.size() == 1 && is_open()) next();
}

void Admin::create_super(std::string name, std::vector<std::shared_ptr<StreamModel>> partitions) {
  Job job;
  job.super_stream = std::move(name);
  job.partitions = std::move(partitions);
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1 && is_open()) next();
}

void Admin::remove(std::shared_ptr<StreamModel> stream, std::function<void()> done) {
  jobs_.push_back({std::move(stream), true, {}, std::move(done)});
  if (jobs_.size() == 1 && is_open()) next();
}

void Admin::on_open() {
  if (!jobs_.empty()) next();
}

void Admin::next() {
  Job& job = jobs_.front();
  ++job.times_asked;
  const auto answer = [this](ResponseCode code, std::uint64_t) { answered(code); };
  if (!job.stream) {
    CreateSuperStream create;
    create.name = job.super_stream;
    for (const auto& partition : job.partitions) {
      create.partitions.push_back(partition->name);
      create.binding_keys.push_back(partition->name);
    }
    create.arguments = {{"durability", "synced"}};
    return ask(create, answer);
  }
  if (job.remove) return ask(Delete{job.stream->name}, answer);
  Create create{job.stream->name, {}};
  for (const auto& [key, value] : job.arguments) create.arguments.push_back({key, value});
  ask(create, answer);
}

void Admin::answered(ResponseCode code) {
  Job& job = jobs_.front();
  const bool again = job.times_asked > 1;
  const ResponseCode done_before =
      job.remove ? ResponseCode::stream_does_not_exist : ResponseCode::stream_already_exists;
  if (code != ResponseCode::ok && !(again && code == done_before)) {
    if (code != ResponseCode::internal_error && code != ResponseCode::stream_not_available)
      world_.fail("{} of {}: {}", job.remove ? "deletion" : "creation", job.name(), to_string(code));
    return retry(to_string(code));
  }
  world_.note("{} is {}", job.name(), job.remove ? "deleted" : "created");
  const auto done = std::move(job.done);
  if (!job.remove && job.stream) job.stream->created = true;
  for (const auto& partition : job.partitions) partition->created = true;
  jobs_.pop_front();
  if (done) done();
  if (!jobs_.empty()) next();
}

}  // namespace sluice::sim
