// SPDX-License-Identifier: Apache-2.0
// The deliveries of one channel that the client has not settled: delivery tag -> what Messaging::settle
// wants. Tags ascend, so it is a queue of entries that are looked up by their distance from the front, or by
// bisection where tags are missing (deliveries without ack take tags, too). Pure.
//
// Holds 24 bytes per entry; entries settled out of order leave holes, which are squeezed out once they
// outnumber the rest. A transaction's settlements only mark entries until it commits or rolls back.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/messaging.h"

namespace sluice::amqp {

class Unsettled {
 public:
  using Source = decltype(broker::Delivery::queue);
  struct Entry {
    std::uint64_t tag : 62 = 0;
    std::uint64_t state : 2 = live;
    Source source;
    base::Offset offset;
  };

  // `tag` is above all added before.
  void add(std::uint64_t tag, Source source, base::Offset offset);
  // Entries that are there and not marked by a transaction.
  std::size_t size() const { return live_; }

  // Takes the entry out and hands it to take(entry). False: no such tag.
  template <class F>
  bool settle(std::uint64_t tag, F&& take) {
    Entry* entry = find(tag);
    if (entry == nullptr) return false;
    take(static_cast<const Entry&>(*entry));
    remove(*entry);
    tidy();
    return true;
  }
  // The same for all up to and including `tag`, in order of tags; 0: all there are. False: there is no such
  // tag (nothing is taken).
  template <class F>
  bool settle_up_to(std::uint64_t tag, F&& take) {
    if (tag != 0 && find(tag) == nullptr) return false;
    for (std::size_t i = head_; i < entries_.size() && (tag == 0 || entries_[i].tag <= tag); ++i) {
      if (entries_[i].state != live) continue;
      take(static_cast<const Entry&>(entries_[i]));
      remove(entries_[i]);
    }
    tidy();
    return true;
  }

  // For transactions: as above, but the entries stay, marked, until unmark_all() or settle_marked().
  template <class F>
  bool mark(std::uint64_t tag, bool multiple, F&& visit) {
    if (!(multiple && tag == 0) && find(tag) == nullptr) return false;
    for (std::size_t i = multiple ? head_ : index_of(tag);
         i < entries_.size() && (tag == 0 || entries_[i].tag <= tag); ++i) {
      if (entries_[i].state != live) continue;
      visit(static_cast<const Entry&>(entries_[i]));
      entries_[i].state = marked;
      --live_;
    }
    return true;
  }
  void unmark_all();
  void drop_marked();

 private:
  enum : std::uint64_t { live = 0, marked = 1, gone = 2 };

  // Live entries only.
  Entry* find(std::uint64_t tag);
  std::size_t index_of(std::uint64_t tag) const;  // of the first entry whose tag is not below
  void remove(Entry& entry) {
    entry.state = gone;
    --live_;
    ++gone_;
  }
  void tidy();

  std::vector<Entry> entries_;  // from head_ on
  std::size_t head_ = 0, live_ = 0, gone_ = 0;
};

}  // namespace sluice::amqp
