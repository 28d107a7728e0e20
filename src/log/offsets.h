// SPDX-License-Identifier: Apache-2.0
// How far a log has come, as three types that cannot be mixed up. Each names the offset one past the last
// message of its kind. Readers and confirms see only what is committed; a majority may commit what this
// broker is still writing, so committed is bounded by appended and not by persisted.
#pragma once

#include "base/check.h"
#include "base/ids.h"

namespace sluice::log {

using AppendedOffset = base::Id<struct AppendedOffsetTag>;    // handed to the file
using PersistedOffset = base::Id<struct PersistedOffsetTag>;  // as durable as the log promises
using CommittedOffset = base::Id<struct CommittedOffsetTag>;  // visible to readers, confirmed to publishers

class Offsets {
 public:
  AppendedOffset appended() const { return appended_; }
  PersistedOffset persisted() const { return persisted_; }
  CommittedOffset committed() const { return committed_; }

  // The only setter: none goes back, and both promises stay behind what was appended.
  void advance(AppendedOffset appended, PersistedOffset persisted, CommittedOffset committed) {
    INVARIANT(appended >= appended_ && persisted >= persisted_ && committed >= committed_,
              "offsets went back: {} {} {}", appended.value, persisted.value, committed.value);
    INVARIANT(persisted.value <= appended.value && committed.value <= appended.value,
              "appended {}, persisted {}, committed {}", appended.value, persisted.value, committed.value);
    appended_ = appended;
    persisted_ = persisted;
    committed_ = committed;
  }

 private:
  AppendedOffset appended_;
  PersistedOffset persisted_;
  CommittedOffset committed_;
};

}  // namespace sluice::log
