// SPDX-License-Identifier: Apache-2.0
// The ports: time, chance, disk, slow work, mail between shards. src/runtime implements them for the server,
// tests/sim for the simulated world; everything between them is the same code and knows no other machine.
//
// All calls are made on the shard that owns the object, unless a comment says otherwise. None throws.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"

namespace sluice::base {

using Task = std::move_only_function<void()>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_ms() const = 0;       // ms since the epoch; may step
  virtual std::int64_t monotonic_ms() const = 0;  // never goes back; for timeouts
};

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

// One open file. A File may be shared with readers of other shards: read_at, size and descriptor are safe
// from any thread, the others only from the owner (sync from a Background worker).
class File {
 public:
  virtual ~File() = default;
  // Writes all parts at the end, in order. After an error the tail of the file is unknown: the caller stops
  // using the file for writing.
  virtual Result<> append(std::span<const ByteView> parts) = 0;
  // Reads up to into.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t position, MutableBytes into) const = 0;
  virtual Result<> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() const = 0;
  virtual Result<> sync() = 0;         // blocks; data and size are durable when it returns
  virtual int descriptor() const = 0;  // for sendfile; -1 when there is none (simulated)
};

class Disk {
 public:
  enum class Mode : std::uint8_t {
    read,
    write,
    create
  };  // write: existing, at its end; create: must not exist
  virtual ~Disk() = default;
  virtual Result<std::shared_ptr<File>> open(const std::string& path, Mode mode) = 0;
  // Opens an existing file whose contents nobody needs to be written from its beginning: append() overwrites.
  // Its pages and blocks stay its own, so nothing is allocated, zeroed or freed, and a sync has no metadata
  // to write. What stands behind stays there, and size() counts it, until truncate(). Not every disk can.
  virtual bool can_open_over() const { return false; }
  virtual Result<std::shared_ptr<File>> open_over(const std::string& path) {
    return fail(Errc::io_failed, "cannot be written over: " + path);
  }
  virtual Result<> create_directories(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;  // names, sorted
  virtual bool exists(const std::string& path) const = 0;
  virtual Result<> rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Result<> remove(const std::string& path) = 0;                         // absent is fine
  virtual Result<> remove_all(const std::string& directory) = 0;                // absent is fine
  virtual Result<> sync_directory(const std::string& path) = 0;                 // blocks
  virtual Result<std::uint64_t> free_bytes(const std::string& path) const = 0;
};

// Work that may block (sync, directory removal, building a segment's filter summary). `work` runs on some
// other thread and must own what it touches; `done` then runs on the shard that asked. Order between two
// calls is not promised.
class Background {
 public:
  virtual ~Background() = default;
  virtual void run(Task work, Task done) = 0;
};

// Mail between shards. Tasks sent to one shard in one turn arrive together and in the order they were sent; a
// task owns all it carries. Sending to oneself runs the task in the next turn.
class Mail {
 public:
  virtual ~Mail() = default;
  virtual void send(ShardId to, Task task) = 0;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogField {
  std::string_view key;
  std::string value;
};

// Structured log lines. `domain` is the subsystem (connection, stream, storage, broker, server). Safe from
// any thread.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view domain, std::string_view message,
                     std::initializer_list<LogField> fields = {}) = 0;
};

// What one shard has of the machine. Lives as long as the shard.
struct Shard {
  ShardId id;
  std::uint32_t shard_count = 1;
  Clock& clock;
  Random& random;
  Disk& disk;
  Background& background;
  Mail& mail;
  Logger& logger;
};

}  // namespace sluice::base
