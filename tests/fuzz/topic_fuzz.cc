// SPDX-License-Identifier: Apache-2.0
// The topic exchange beside a list of bindings that is matched one by one. The input is a list of steps:
// bind, unbind, route, with keys of few words, so that bindings share branches of the trie. What the exchange
// finds is what the list finds, and its walk of a key stays within what two `#` can cost.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "exchange/topic.h"

using namespace sluice;
using namespace sluice::exchange;

namespace {

constexpr std::size_t bindings_max = 64;

using Words = std::vector<std::string>;

Words words_of(std::string_view key) {
  Words words;
  while (!key.empty()) {
    const std::size_t dot = std::min(key.find('.'), key.size());
    words.emplace_back(key.substr(0, dot));
    if (dot + 1 == key.size()) words.emplace_back();
    key.remove_prefix(std::min(dot + 1, key.size()));
  }
  return words;
}

// row[j]: the first words of the pattern match the first j words of the key.
bool matches(const Words& pattern, const Words& key) {
  std::vector<bool> row(key.size() + 1);
  row[0] = true;
  for (const std::string& word : pattern) {
    std::vector<bool> next(key.size() + 1);
    for (std::size_t j = 0; j <= key.size(); ++j) {
      if (word == "#") {
        next[j] = row[j] || (j > 0 && next[j - 1]);
      } else {
        next[j] = j > 0 && row[j - 1] && (word == "*" || word == key[j - 1]);
      }
    }
    row = std::move(next);
  }
  return row[key.size()];
}

std::string read_key(base::ByteReader& from) {
  static constexpr std::string_view words[] = {"a", "b", "*", "#", "", "ab", "c", "*a"};
  const std::size_t count = from.read<std::uint8_t>();
  if (count == 255) return std::string(base::as_text(from.read_bytes(from.read<std::uint8_t>())));
  std::string key;
  for (std::size_t i = 0; i < count % 7; ++i) {
    if (i > 0) key += '.';
    key += words[from.read<std::uint8_t>() % std::size(words)];
  }
  return key;
}

class Life {
 public:
  void step(base::ByteReader& from) {
    const auto what = from.read<std::uint8_t>();
    const Binding binding{DestinationId{what / 4U % 8U}, read_key(from), arguments(what)};
    const auto at = std::ranges::find(model_, binding);
    if (what % 4 == 0 && at == model_.end() && model_.size() < bindings_max) {
      const bool taken = exchange_.bind(binding).has_value();
      INVARIANT(taken == (std::ranges::count(words_of(binding.key), "#") <= TopicExchange::hashes_max),
                "'{}'", binding.key);
      if (taken) model_.push_back(binding);
    } else if (what % 4 == 0 && at != model_.end()) {
      INVARIANT(exchange_.bind(binding), "a binding twice");
    } else if (what % 4 == 1) {
      exchange_.unbind(binding);
      if (at != model_.end()) model_.erase(at);
    } else {
      route(binding.key);
    }
  }

  void finish() {
    for (const Binding& binding : model_) exchange_.unbind(binding);
    model_.clear();
    route("a.b");
    route("");
  }

 private:
  static base::FieldTable arguments(std::uint8_t what) {
    base::FieldTable table;
    if (what >= 192) table.set("x", what);
    return table;
  }

  void route(std::string_view key) {
    Targets found;
    exchange_.route({.key = key, .headers = {}, .message_id = {}, .correlation_id = {}, .timestamp = {}},
                    found);
    found.make_unique();
    std::vector<DestinationId> expected;
    const Words words = words_of(key);
    for (const Binding& binding : model_) {
      if (matches(words_of(binding.key), words)) expected.push_back(binding.destination);
    }
    std::ranges::sort(expected);
    expected.erase(std::ranges::unique(expected).begin(), expected.end());
    INVARIANT(std::ranges::equal(found.ids(), expected), "key '{}': {} destinations, expected {}", key,
              found.ids().size(), expected.size());
  }

  TopicExchange exchange_;
  std::vector<Binding> model_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::ByteReader from({data, std::min<std::size_t>(size, 4096)});
  Life life;
  while (!from.at_end()) life.step(from);
  life.finish();
  return 0;
}
