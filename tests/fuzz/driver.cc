// SPDX-License-Identifier: Apache-2.0
// The main program of a fuzzer when the compiler has no libFuzzer (GCC): runs the corpus, then mutations of
// it.
//
//   fuzz_NAME [--seconds=N] [--seed=N] [--runs=N] [FILE_OR_DIRECTORY...]
//
// Deterministic for a seed and a number of runs. Before each input runs, it is written to a memory-mapped
// file crash-NAME in the current directory; the file stays there only when the input ends the process, so it
// holds the input to look at. It knows no coverage: what it lacks in depth, `tools/check --long` has with
// libFuzzer.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t input_bytes_max = 64 * 1024;

struct Options {
  double seconds = 2;
  std::uint64_t seed = 1;
  std::uint64_t runs_max = UINT64_MAX;
  std::vector<std::string> places;
};

// Keeps the running input where a crash leaves it: the kernel writes the page back whatever ends the process.
class LastInput {
 public:
  explicit LastInput(std::string path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0 || ::ftruncate(file_, input_bytes_max) != 0) return;
    void* place = ::mmap(nullptr, input_bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (place != MAP_FAILED) bytes_ = static_cast<std::uint8_t*>(place);
  }
  ~LastInput() {
    if (bytes_ != nullptr) ::munmap(bytes_, input_bytes_max);
    if (file_ >= 0) ::close(file_);
    ::unlink(path_.c_str());
  }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;

  void keep(const Input& input) {
    if (bytes_ != nullptr && !input.empty()) std::memcpy(bytes_, input.data(), input.size());
  }

 private:
  std::string path_;
  int file_ = -1;
  std::uint8_t* bytes_ = nullptr;
};

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&](std::string_view name) -> const char* {
      return word.starts_with(name) ? word.c_str() + name.size() : nullptr;
    };
    if (const char* text = value("--seconds=")) {
      options.seconds = std::strtod(text, nullptr);
    } else if (const char* number = value("--seed=")) {
      options.seed = std::strtoull(number, nullptr, 10);
    } else if (const char* limit = value("--runs=")) {
      options.runs_max = std::strtoull(limit, nullptr, 10);
    } else {
      options.places.push_back(word);
    }
  }
  return options;
}

std::vector<Input> read_corpus(const std::vector<std::string>& places) {
  std::vector<std::filesystem::path> files;
  for (const std::string& place : places) {
    if (std::filesystem::is_directory(place)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
    } else if (std::filesystem::exists(place)) {
      files.emplace_back(place);
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    Input input(std::istreambuf_iterator<char>(in), {});
    if (input.size() > input_bytes_max) input.resize(input_bytes_max);
    corpus.push_back(std::move(input));
  }
  return corpus;
}

class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  Input next() {
    Input input = corpus_.empty() || below(16) == 0 ? noise() : corpus_[below(corpus_.size())];
    for (std::size_t steps = 1 + below(5); steps > 0; --steps) mutate(input);
    if (input.size() > input_bytes_max) input.resize(input_bytes_max);
    return input;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }

  Input noise() {
    Input input(below(200));
    for (auto& one : input) one = byte();
    return input;
  }

  void mutate(Input& input) {
    if (input.empty()) {
      input.push_back(byte());
      return;
    }
    const std::size_t at = below(input.size());
    switch (below(9)) {
      case 0:
        input[at] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        input[at] = byte();
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(8), byte());
        break;
      case 4:
        cut(input, at);
        break;
      case 5:
        number(input, at);
        break;
      case 6:
        repeat(input, at);
        break;
      case 7:
        splice(input, at);
        break;
      default:
        input[at] = static_cast<std::uint8_t>(input[at] + 1);
        break;
    }
  }

  void cut(Input& input, std::size_t at) {
    const std::size_t size = 1 + below(std::min<std::size_t>(16, input.size() - at));
    const auto begin = input.begin() + static_cast<std::ptrdiff_t>(at);
    input.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
  }

  // Lengths and counts are where parsers break: writes one of the values at the edges, 1 to 8 bytes wide.
  void number(Input& input, std::size_t at) {
    static constexpr std::uint64_t edges[] = {0,      1,      0x7f,       0x80,       0xff,       0x7fff,
                                              0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX};
    const std::size_t width = std::size_t{1} << below(4);
    const std::uint64_t value = edges[below(std::size(edges))] - below(2);
    for (std::size_t i = 0; i < width && at + i < input.size(); ++i) {
      input[at + i] = static_cast<std::uint8_t>(value >> (8 * (width - 1 - i)));
    }
  }

  void repeat(Input& input, std::size_t at) {
    const Input piece(input.begin() + static_cast<std::ptrdiff_t>(at),
                      input.begin() + static_cast<std::ptrdiff_t>(
                                          at + 1 + below(std::min<std::size_t>(64, input.size() - at))));
    input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
  }

  void splice(Input& input, std::size_t at) {
    if (corpus_.empty()) return;
    const Input& other = corpus_[below(corpus_.size())];
    if (other.empty()) return;
    input.resize(at);
    const std::size_t from = below(other.size());
    input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
  }

  const std::vector<Input>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  const std::string program = std::filesystem::path(words[0]).filename();
  const std::vector<Input> corpus = read_corpus(options.places);
  const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
  LastInput last("crash-" + program);
  const auto run = [&](const Input& input) {
    last.keep(input);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  };
  for (const Input& input : corpus) run(input);
  Mutator mutator(corpus, options.seed);
  std::uint64_t runs = 0;
  while (runs < options.runs_max && (runs % 64 != 0 || Clock::now() < end)) {
    run(mutator.next());
    ++runs;
  }
  std::printf("%s: %zu inputs of the corpus and %llu mutations, seed %llu\n", program.c_str(), corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(options.seed));
  return 0;
}
