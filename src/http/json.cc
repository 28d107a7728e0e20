// SPDX-License-Identifier: Apache-2.0
#include "http/json.h"

namespace sluice::http {
namespace {

constexpr int depth_max = 32;

boost::json::value value_to_json(const base::FieldValue& value) {
  if (const auto number = value.integer()) return *number;
  if (const auto* flag = value.as<bool>()) return *flag;
  if (const auto* number = value.as<double>()) return *number;
  if (const auto* number = value.as<float>()) return *number;
  if (const auto* time = value.as<base::FieldTimestamp>()) return time->seconds;
  if (value.as<base::FieldVoid>()) return nullptr;
  if (const auto* table = value.as<base::FieldTable>()) return table_to_json(*table);
  if (const auto* list = value.as<base::FieldArray>()) {
    boost::json::array array;
    for (const auto& each : *list) array.push_back(value_to_json(each));
    return array;
  }
  return boost::json::value(base::to_text(value));
}

base::Result<base::FieldTable> to_table(const boost::json::object& object, int depth);

base::Result<base::FieldValue> to_value(const boost::json::value& value, int depth) {
  if (depth > depth_max) return base::fail(base::Errc::malformed, "the object is nested too deeply");
  if (value.is_bool()) return base::FieldValue(value.get_bool());
  if (value.is_int64()) return base::FieldValue(value.get_int64());
  if (value.is_double()) return base::FieldValue(value.get_double());
  if (value.is_string()) return base::FieldValue(std::string_view(value.get_string()));
  if (value.is_array()) {
    base::FieldArray list;
    for (const auto& each : value.get_array()) {
      TRY(made, to_value(each, depth + 1));
      list.push_back(std::move(made));
    }
    return base::FieldValue(std::move(list));
  }
  if (value.is_object()) {
    TRY(table, to_table(value.get_object(), depth + 1));
    return base::FieldValue(std::move(table));
  }
  if (value.is_null()) return base::FieldValue();
  return base::fail(base::Errc::malformed, "a number is out of range");
}

base::Result<base::FieldTable> to_table(const boost::json::object& object, int depth) {
  base::FieldTable table;
  for (const auto& each : object) {
    TRY(value, to_value(each.value(), depth));
    table.set(std::string_view(each.key()), std::move(value));
  }
  return table;
}

}  // namespace

boost::json::value table_to_json(const base::FieldTable& table) {
  boost::json::object object;
  for (const auto& [key, value] : table.entries) object[key] = value_to_json(value);
  return object;
}

base::Result<base::FieldTable> table_from_json(const boost::json::value& value) {
  if (!value.is_object()) return base::fail(base::Errc::malformed, "what is wanted is a JSON object");
  return to_table(value.get_object(), 0);
}

}  // namespace sluice::http
