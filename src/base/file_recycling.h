// SPDX-License-Identifier: Apache-2.0
// What a Disk may offer beside its port: writing a file anew over what it held. The pages and blocks of the
// file stay its own, so nothing is allocated, zeroed or freed, and a sync has no metadata to write. Used by
// storage's journal, which goes without where a disk does not have it (dynamic_cast).
#pragma once

#include "base/ports.h"

namespace sluice::base {

class RecyclingDisk {
 public:
  virtual ~RecyclingDisk() = default;
  // An existing file whose contents nobody needs, to be written from its beginning: append() overwrites. What
  // stands behind stays there, and size() counts it, until truncate().
  virtual Result<std::shared_ptr<File>> open_over(const std::string& path) = 0;
};

}  // namespace sluice::base
