// SPDX-License-Identifier: Apache-2.0
// A member of a group of single active consumers in the simulated world: on one connection it subscribes to
// each partition of a superstream (or to one plain stream) under the group's name, answers ConsumerUpdate
// after a while, reads from where the group stands, loses its connection, comes back.
//
// Demanded: nobody is told to be active while another member, connected to the same life of the node, has not
// answered that it stepped down; chunks come to active members alone; no message is passed over when another
// member goes on. At the end each partition has exactly one active member and is read to its end.
#pragma once

#include <vector>

#include "sim/client.h"
#include "sim/model.h"

namespace sluice::sim {

class Member;

// What a group knows of one partition, as its members would keep it in a database of their own.
struct GroupPlace {
  std::shared_ptr<StreamModel> stream;
  std::uint64_t next = 0;          // behind the last chunk any member was given
  std::uint32_t forgotten = 0;     // of the stream, when `next` was counted
  const Member* active = nullptr;  // answered that it is, and not yet that it is not
  std::uint64_t handovers = 0;
};

struct Group {
  std::string name;
  std::string super_stream;  // empty: one plain stream
  std::vector<GroupPlace> places;
};

class Member final : public Client {
 public:
  Member(Node& node, std::string name, std::shared_ptr<Group> group)
      : Client(node, std::move(name)), group_(std::move(group)) {}
  // Connected to the node's present life, as far as it knows.
  bool is_present() const { return is_open() && start_ == node_.starts(); }
  bool joined() const;
  bool is_in(const Group& group) const { return group_.get() == &group; }

 private:
  struct Part {
    bool joined = false;
    bool active = false;
    std::uint32_t unanswered = 0;  // ConsumerUpdates
    std::uint32_t forgotten = 0;   // of the stream, when subscribed
    bool first_chunk = true;       // since it became active
  };
  void on_open() override;
  void on_lost() override;
  void on_stream_gone() override;
  void on_consumer_update(std::uint32_t correlation, const streamproto::ConsumerUpdate& update) override;
  void on_deliver(const streamproto::Deliver& deliver) override;
  void subscribe(std::size_t part);
  void answer(std::uint32_t correlation, std::size_t part, bool active);
  void read(const streamproto::EntryView& entry, StreamModel& stream, std::uint64_t& offset);

  std::shared_ptr<Group> group_;
  std::vector<Part> parts_;
  std::uint32_t start_ = 0;
  std::uint64_t connections_ = 0;  // tells delayed answers whether they still have an asker
};

}  // namespace sluice::sim
