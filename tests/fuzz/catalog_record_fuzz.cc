// SPDX-License-Identifier: Apache-2.0
// Any bytes as a record of the metadata store: the first byte is the table's letter, the rest the value. What
// parses has a key of its own, under which it is accepted; written again it stays what it is.
#include "base/check.h"
#include "broker/catalog.h"

using namespace sluice;
using namespace sluice::broker;

namespace {

template <class R>
void check(const R*, std::string_view table, std::string_view value) {
  if (table.front() != R::table) return;
  const auto record = parse_record<R>(value);
  if (!record) return;
  const std::string key = record_key(*record);
  INVARIANT(parse_catalog_record(key, value), "refused under its own key");
  const std::string written = record_value(*record);
  const auto again = parse_catalog_record(key, written);
  INVARIANT(again, "own bytes refused");
  INVARIANT(record_value(std::get<R>(*again)) == written, "not the same again");
}

template <class... Rs>
void check_each(const std::variant<Rs...>*, std::string_view table, std::string_view value) {
  (check(static_cast<const Rs*>(nullptr), table, value), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input = base::as_text({data, size});
  check_each(static_cast<const Record*>(nullptr), input.substr(0, 1), input.substr(1));
  static_cast<void>(parse_catalog_record(input.substr(0, size / 2), input.substr(size / 2)));
  return 0;
}
