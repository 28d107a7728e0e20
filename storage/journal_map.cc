// SPDX-License-Identifier: Apache-2.0
// Messages of a queue come in order, so the queue of the last call is kept at hand. Sealing ends the extents
// of a file; what its .index holds is taken from them, and once it is written they forget their slots.
#include "storage/journal_map.h"

#include <algorithm>

namespace sluice::storage {

JournalFile& JournalMap::add_file(const JournalFileHeader& header, std::uint64_t bytes) {
  JournalFile& file = files_[header.number];
  file.number = header.number;
  file.first_point = header.first_point;
  file.bytes = bytes;
  return file;
}

QueueExtents* JournalMap::find_queue(base::QueueId queue) const {
  if (last_extents_ != nullptr && last_queue_ == queue) return last_extents_;
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return nullptr;
  last_queue_ = queue;
  return last_extents_ = const_cast<QueueExtents*>(&found->second);
}

QueueExtents& JournalMap::extents_of(base::QueueId queue) {
  if (QueueExtents* known = find_queue(queue)) return *known;
  last_queue_ = queue;
  return *(last_extents_ = &queues_[queue]);
}

void JournalMap::place_one(JournalFile& file, MessagePlace place, Slot slot, std::uint32_t share_bytes,
                           bool is_copy) {
  QueueExtents& extents = extents_of(place.queue);
  if (is_copy) {
    if (extents.move(place.offset, file, slot, share_bytes)) file.copies.push_back(place);
  } else if (extents.append(file, place.offset, slot, share_bytes)) {
    file.queues.push_back(place.queue);
  }
}

void JournalMap::place(JournalFile& file, std::span<const MessagePlace> places, Slot slot, bool is_copy) {
  if (places.empty()) return;
  const auto share = static_cast<std::uint32_t>(slot.size / places.size());
  for (const MessagePlace& each : places) place_one(file, each, slot, share, is_copy);
}

bool JournalMap::can_place(MessagePlace place, bool is_copy) const {
  if (place.offset.value > journal_offset_max) return false;
  const QueueExtents* extents = find_queue(place.queue);
  if (extents == nullptr) return true;
  if (is_copy) return extents->active().empty() || place.offset < extents->active().base();
  return place.offset >= extents->end();
}

void JournalMap::release(base::QueueId queue, base::Offset first, base::Offset last) {
  if (QueueExtents* extents = find_queue(queue)) extents->release(first, last);
}

void JournalMap::forget(base::QueueId queue) {
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return;
  found->second.release_all();
  queues_.erase(found);
  last_extents_ = nullptr;
}

std::optional<JournalMap::Found> JournalMap::find(MessagePlace place) const {
  const QueueExtents* extents = find_queue(place.queue);
  if (extents == nullptr) return std::nullopt;
  const auto found = extents->find(place.offset);
  if (!found) return std::nullopt;
  return Found{found->extent, found->index};
}

void JournalMap::seal(JournalFile& file) {
  file.sealed = true;
  if (file.was_scanned)
    for (const MessagePlace& copy : file.copies) file.queues.push_back(copy.queue);
  std::ranges::sort(file.queues);
  file.queues.erase(std::unique(file.queues.begin(), file.queues.end()), file.queues.end());
  for (const base::QueueId queue : file.queues) {
    const auto found = queues_.find(queue);
    if (found == queues_.end()) continue;
    found->second.seal_active();
    if (found->second.empty()) queues_.erase(found);
  }
  last_extents_ = nullptr;
}

std::vector<IndexInput> JournalMap::index_inputs(const JournalFile& file) const {
  std::vector<IndexInput> inputs;
  const auto add = [&](base::QueueId queue, const Extent& extent) {
    if (extent.file() != &file || !extent.has_slots()) return;
    inputs.push_back(
        {.run = {.queue = queue, .first = extent.base(), .count = extent.count(), .bytes = extent.bytes()},
         .slots = extent.slots(),
         .first_slot = extent.first_slot()});
  };
  for (const base::QueueId queue : file.queues) {
    const auto found = queues_.find(queue);
    if (found == queues_.end()) continue;
    // Copies apart, files ascend with offsets: what came first to this file is behind all of earlier ones.
    const auto& older = found->second.older();
    for (auto at = older.rbegin(); at != older.rend(); ++at) {
      if (at->second.file()->number < file.number && !file.was_scanned) break;
      add(queue, at->second);
    }
  }
  for (const MessagePlace& copy : file.copies) {
    const auto found = queues_.find(copy.queue);
    if (found == queues_.end() || file.was_scanned) continue;
    const auto& older = found->second.older();
    if (const auto at = older.find(copy.offset); at != older.end()) add(copy.queue, at->second);
  }
  const auto key = [](const IndexInput& each) { return MessagePlace{each.run.queue, each.run.first}; };
  std::ranges::sort(inputs, {}, key);
  const auto repeated = std::ranges::unique(inputs, {}, key);
  inputs.erase(repeated.begin(), repeated.end());
  return inputs;
}

void JournalMap::set_indexed(JournalFile& file, const std::vector<IndexInput>& written) {
  for (const auto& input : written) {
    const auto found = queues_.find(input.run.queue);
    if (found == queues_.end()) continue;
    auto& older = found->second.older();
    const auto at = older.find(input.run.first);
    if (at != older.end() && at->second.file() == &file) at->second.set_indexed(input.run.first_slot);
  }
  file.indexed = true;
  file.queues = {};
  file.copies = {};
}

base::Result<> JournalMap::add_runs(JournalFile& file, const std::vector<IndexRun>& runs,
                                    const std::function<bool(base::QueueId)>& is_known,
                                    const ReadSlot& slot) {
  for (const IndexRun& run : runs) {
    if (!is_known(run.queue)) continue;
    Extent extent(file, run.first, run.count, run.first_slot, run.bytes);
    if (run.present < run.count) {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        auto got = slot(run.first_slot + i);
        if (!got) {
          extent.release_all();
          return std::unexpected(std::move(got).error());
        }
        if (got->size == 0) extent.set_hole(i);
      }
    }
    extents_of(run.queue).add_run(std::move(extent));
  }
  file.sealed = true;
  file.indexed = true;
  return {};
}

}  // namespace sluice::storage
