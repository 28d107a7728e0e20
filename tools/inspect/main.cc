// SPDX-License-Identifier: Apache-2.0
// sluice-inspect FILE...            every field of segment, index, filter, journal and checkpoint files
// sluice-inspect --verify DIR...    checks the logs and journals in and below the directories
// Exit code: 0 nothing wrong, 1 damage, 2 wrong usage or unreadable files.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <cxxopts.hpp>
#include <filesystem>
#include <set>

#include "inspect/inspect_file.h"
#include "inspect/verify.h"
#include "inspect/verify_journal.h"
#include "runtime/disk.h"
#include "storage/format.h"
#include "storage/journal_format.h"

namespace {

using namespace sluice;

constexpr int good = 0, damage = 1, trouble = 2;
constexpr std::size_t write_out_bytes = 1 << 16;

void write_out(std::string& out) {
  std::fwrite(out.data(), 1, out.size(), stdout);
  out.clear();
}

// Passes everything on and writes the text out in between.
class WritingPrinter final : public inspect::Printer {
 public:
  WritingPrinter(std::unique_ptr<inspect::Printer> to, std::string& out) : to_(std::move(to)), out_(out) {}
  void begin_file(const std::string& path, std::string_view kind, std::uint64_t bytes) override {
    to_->begin_file(path, kind, bytes);
  }
  void item(const inspect::Item& item) override {
    to_->item(item);
    if (out_.size() >= write_out_bytes) write_out(out_);
  }
  void problem(std::uint64_t position, const std::string& text) override { to_->problem(position, text); }
  void end_file() override { to_->end_file(); }
  void finish() override {
    to_->finish();
    write_out(out_);
  }

 private:
  std::unique_ptr<inspect::Printer> to_;
  std::string& out_;
};

int inspect_all(const std::vector<std::string>& paths, const cxxopts::ParseResult& options) {
  runtime::RealDisk disk;
  std::string out;
  WritingPrinter printer(options.count("json") != 0
                             ? inspect::make_json_printer(out)
                             : inspect::make_text_printer(out, options.count("hex") != 0),
                         out);
  int exit_code = good;
  for (const auto& path : paths) {
    const auto problems = inspect::inspect_file(disk, path, {options.count("entries") != 0}, printer);
    if (!problems) {
      fmt::print(stderr, "sluice-inspect: {}\n", problems.error().text);
      exit_code = trouble;
    } else if (*problems > 0) {
      exit_code = std::max(exit_code, damage);
    }
  }
  printer.finish();
  return exit_code;
}

// The directories at and below `top` that hold logs, and those that hold journals.
struct Directories {
  std::set<std::string> logs, journals;
};
Directories find_directories(const std::string& top) {
  Directories found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
    const auto extension = entry.path().extension().string();
    const auto directory = entry.path().parent_path().string();
    if (extension == storage::log_suffix &&
        storage::parse_segment_file_name(entry.path().filename().string()))
      found.logs.insert(directory);
    if (extension == storage::journal_suffix || extension == storage::checkpoint_suffix)
      found.journals.insert(directory);
  }
  return found;
}

boost::json::object to_json(const inspect::LogVerdict& verdict) {
  return {{"directory", verdict.directory},
          {"segments", verdict.segments},
          {"chunks", verdict.chunks},
          {"messages", verdict.records},
          {"bytes", verdict.bytes},
          {"first_offset", verdict.first_offset.value},
          {"next_offset", verdict.next_offset.value},
          {"problems", boost::json::value_from(verdict.problems)},
          {"notes", boost::json::value_from(verdict.notes)}};
}

boost::json::object to_json(const inspect::JournalVerdict& verdict) {
  return {{"directory", verdict.directory},
          {"journal_files", verdict.files},
          {"batches", verdict.batches},
          {"messages", verdict.messages},
          {"events", verdict.events},
          {"bytes", verdict.bytes},
          {"checkpoint", verdict.checkpoint},
          {"problems", boost::json::value_from(verdict.problems)},
          {"notes", boost::json::value_from(verdict.notes)}};
}

void print_remarks(const std::vector<std::string>& problems, const std::vector<std::string>& notes) {
  for (const auto& text : problems) fmt::print("  problem: {}\n", text);
  for (const auto& text : notes) fmt::print("  note: {}\n", text);
}

void print_text(const inspect::LogVerdict& verdict) {
  fmt::print("{}: {} segments, {} chunks, {} messages, offsets {} to {}, {} bytes: {}\n", verdict.directory,
             verdict.segments, verdict.chunks, verdict.records, verdict.first_offset.value,
             verdict.next_offset.value, verdict.bytes, verdict.problems.empty() ? "good" : "DAMAGED");
  print_remarks(verdict.problems, verdict.notes);
}

void print_text(const inspect::JournalVerdict& verdict) {
  fmt::print("{}: {} journal files, {} batches, {} messages, {} events, {} bytes, checkpoint {}: {}\n",
             verdict.directory, verdict.files, verdict.batches, verdict.messages, verdict.events,
             verdict.bytes, verdict.checkpoint, verdict.problems.empty() ? "good" : "DAMAGED");
  print_remarks(verdict.problems, verdict.notes);
}

class VerdictPrinter {
 public:
  explicit VerdictPrinter(bool json) : json_(json) {}

  template <class Verdict>
  void add(const base::Result<Verdict>& verdict) {
    if (!verdict) {
      fmt::print(stderr, "sluice-inspect: {}\n", verdict.error().text);
      exit_code_ = trouble;
      return;
    }
    if (json_)
      verdicts_.push_back(to_json(*verdict));
    else
      print_text(*verdict);
    if (!verdict->problems.empty()) exit_code_ = std::max(exit_code_, damage);
  }
  int finish() {
    if (json_) fmt::print("{}\n", boost::json::serialize(verdicts_));
    return exit_code_;
  }

 private:
  bool json_;
  boost::json::array verdicts_;
  int exit_code_ = good;
};

int verify_all(const std::vector<std::string>& tops, bool json) {
  runtime::RealDisk disk;
  VerdictPrinter printer(json);
  for (const auto& top : tops) {
    const auto directories = find_directories(top);
    for (const auto& directory : directories.logs) printer.add(inspect::verify_log(disk, directory));
    for (const auto& directory : directories.journals) printer.add(inspect::verify_journal(disk, directory));
  }
  return printer.finish();
}

}  // namespace

int main(int argc, char** argv) try {
  cxxopts::Options options(
      "sluice-inspect",
      "Prints segment (.log), index, filter, journal and checkpoint files of Sluice field by field.");
  options.positional_help("FILE... | --verify DIRECTORY...");
  options.add_options()(
      "verify", "check the logs and journals in and below the directories; exit code 1 when one is damaged")(
      "json", "print JSON")("hex", "print each field with its bytes")(
      "entries", "print the entries of chunks, the values of filters, the records of journals as well")(
      "help", "print this help")("paths", "files or directories", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"paths"});
  const auto parsed = options.parse(argc, argv);
  if (parsed.count("help") != 0) return fmt::print("{}\n", options.help()), good;
  if (parsed.count("paths") == 0) return fmt::print(stderr, "{}\n", options.help()), trouble;
  const auto& paths = parsed["paths"].as<std::vector<std::string>>();
  return parsed.count("verify") != 0 ? verify_all(paths, parsed.count("json") != 0)
                                     : inspect_all(paths, parsed);
} catch (const std::exception& error) {
  fmt::print(stderr, "sluice-inspect: {}\n", error.what());
  return trouble;
}
