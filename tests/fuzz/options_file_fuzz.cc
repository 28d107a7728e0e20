// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file. Nothing may crash; every value that is taken, written as text and read
// again, is the same; every line is either taken or told.
#include <array>
#include <optional>

#include "base/check.h"
#include "base/options.h"

using namespace sluice;
using namespace std::string_view_literals;

namespace {

enum class Mode : std::uint8_t { written, synced };
constexpr auto enum_names(Mode) {
  return std::array{std::pair{"written"sv, Mode::written}, std::pair{"synced"sv, Mode::synced}};
}

struct Sample {
  std::uint16_t number = 1;
  std::uint64_t large = 1;
  bool flag = true;
  base::ByteSize size{1 << 20};
  base::DurationMs wait{1000};
  base::Listeners listeners{{{"127.0.0.1", 5552}}};
  std::optional<base::Listener> listener;
  base::NameSet users;
  std::string name;
  Mode mode = Mode::written;

  static constexpr auto options() {
    using base::option;
    return std::tuple{option("n", &Sample::number, "number", base::Range{1, 1000}),
                      option("large", &Sample::large, "large"),
                      option("flag", &Sample::flag, "flag"),
                      option("size", &Sample::size, "size"),
                      option("wait", &Sample::wait, "wait"),
                      option("l.$name", &Sample::listeners, "listeners"),
                      option("listener", &Sample::listener, "listener"),
                      option("users.$name", &Sample::users, "users"),
                      option("name", &Sample::name, "name"),
                      option("mode", &Sample::mode, "mode")};
  }
};

const char* environment(const char* name) {
  return name[0] == 'A' ? "7" : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Sample sample;
  base::OptionSet set;
  set.add(sample);
  base::ConfigReport report;
  set.read_text(text, "f", environment, report);
  set.read_environment(environment, report);
  INVARIANT(sample.number >= 1 && sample.number <= 1000, "{}", sample.number);

  for (const auto& entry : set.entries()) {
    if (entry.labelled() || entry.key == "name") continue;
    const std::string before = entry.value_text();
    INVARIANT(entry.set("", before).has_value(), "{} = {}", entry.key, before);
    INVARIANT(entry.value_text() == before, "{} = {} became {}", entry.key, before, entry.value_text());
  }
  return 0;
}
