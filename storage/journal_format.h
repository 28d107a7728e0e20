// SPDX-License-Identifier: Apache-2.0
// The journal's files as bytes: names, file headers, batches, records, place lists. Pure; used by the
// journal's writer, recovery, compaction and tools/inspect. FORMAT.md describes the same bytes.
//
//   <number, 20 digits>.journal      file header | batch | batch ...     batch: header | record | record ...
//   <number>.index                   journal_index.h; of files that get no more records
//   <number>.checkpoint              journal_checkpoint.h; recovery reads the journal from file <number> on
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/journal.h"

namespace sluice::storage {

inline constexpr std::string_view journal_suffix = ".journal";
inline constexpr std::string_view journal_index_suffix = ".index";
inline constexpr std::string_view checkpoint_suffix = ".checkpoint";
inline constexpr std::string_view journal_spare_suffix = ".spare";  // storage/journal_spares.h
inline constexpr std::string_view journal_magic = "SLUICJNL", journal_index_magic = "SLUICJIX",
                                  checkpoint_magic = "SLUICCKP";
inline constexpr std::uint32_t journal_version = 1;
inline constexpr std::size_t journal_header_bytes = 48;  // of each of the three kinds
inline constexpr std::size_t batch_header_bytes = 40;
inline constexpr std::size_t message_header_bytes = 32, event_header_bytes = 20;
inline constexpr std::uint64_t journal_offset_max = std::uint64_t{1} << 62;
inline constexpr std::size_t record_bytes_max = 1 << 30;
// Positions are stored in 32 bits.
inline constexpr std::uint64_t journal_file_bytes_limit = UINT32_MAX;

std::string journal_path(std::string_view directory, std::uint64_t number, std::string_view suffix);
struct JournalFileName {
  std::uint64_t number = 0;
  std::string_view suffix;  // one of the constants above
};
// Numbers begin with 1.
std::optional<JournalFileName> parse_journal_file_name(std::string_view name);

// All three kinds of file begin with: magic, version, a 32-bit count, three 64-bit numbers, a 32-bit number,
// a check over what is before it.
struct JournalHeader {
  std::uint32_t count = 0;
  std::uint64_t number = 0;
  std::uint64_t first = 0, second = 0;
  std::uint32_t third = 0;
};
void encode_journal_header(std::string_view magic, const JournalHeader& header, std::uint8_t* to);
// corrupt: too short, wrong magic or check; precondition_failed: another version, named in the text.
base::Result<JournalHeader> decode_journal_header(std::string_view magic, base::ByteView bytes);

// A .journal file's own names for them. `first_point` is where the file's first batch stands in the journal's
// order of bytes; `salt` is random and stands in each batch, so that no message can look like one.
struct JournalFileHeader {
  std::uint64_t number = 0, first_point = 0, salt = 0;
};
void encode_journal_file_header(const JournalFileHeader& header, std::uint8_t* to);
base::Result<JournalFileHeader> decode_journal_file_header(base::ByteView bytes);

// What one turn wrote. Read as a whole or cut as a whole.
struct BatchHeader {
  std::uint32_t payload_bytes = 0;
  std::uint32_t records = 0;
  std::uint64_t salt = 0;
  std::uint64_t point = 0;         // of this header
  std::uint64_t synced_point = 0;  // everything before it was durable when this was written
};
void encode_batch_header(const BatchHeader& header, std::uint8_t* to);
// Nothing: no batch of a file with this salt stands here.
std::optional<BatchHeader> decode_batch_header(base::ByteView bytes, std::uint64_t salt);
// Whether the bytes begin as a batch header does and are not a whole one, of a file with whatever salt.
bool is_torn_batch_header(base::ByteView bytes);

enum class RecordKind : std::uint8_t { message = 1, event = 2 };

struct MessageRecord {
  static constexpr std::uint8_t persistent = 1, has_priority = 2, copied = 4;  // flags
  static constexpr unsigned flags_shift = 4;  // above them MessageMeta::flags
  MessageMeta meta;
  bool is_copy = false;  // written by compaction: known to whoever has read the journal so far
  base::ByteView places;
  base::ByteView content;
};
struct EventRecord {
  base::QueueId queue;
  base::ByteView event;
};

// The bytes of a place list: per place two variable-length numbers, each the difference to the place before.
std::size_t places_bytes_max(std::size_t count);
std::size_t encode_places(std::span<const MessagePlace> places, std::uint8_t* to);  // bytes written
// False: not a place list. Appends at most bytes.size() / 2 places.
bool decode_places(base::ByteView bytes, std::vector<MessagePlace>& to);
// Whether the list has the place, which may stand before what is no list.
bool has_place(base::ByteView bytes, MessagePlace wanted);

// Writes a record's header around what the caller has put behind it: `size` is the whole record's.
void finish_message(const MessageMeta& meta, bool is_copy, std::size_t places_bytes, std::size_t size,
                    std::uint8_t* record);
void finish_event(base::QueueId queue, std::size_t size, std::uint8_t* record);

// The size that stands in a record's first bytes, when it can be one: at least a header, at most `available`.
std::optional<std::uint32_t> record_size(base::ByteView bytes);
// Over the record's whole bytes, as record_size says.
bool record_is_whole(base::ByteView record);
std::optional<RecordKind> record_kind(base::ByteView record);
// precondition: record_size() is the size of `record`. Nothing: not of that kind, or lengths that lie.
std::optional<MessageRecord> decode_message(base::ByteView record);
std::optional<EventRecord> decode_event(base::ByteView record);

}  // namespace sluice::storage
