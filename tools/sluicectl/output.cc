// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <algorithm>

namespace sluicectl {
namespace {

namespace json = boost::json;
using Table = std::vector<std::vector<std::string>>;

std::string cell_text(const json::value* value) {
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) {
    // A tab or newline in a name would forge columns and rows.
    std::string text(std::string_view(value->get_string()));
    std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
  }
  if (value->is_array()) {
    std::string text;
    for (const json::value& each : value->get_array()) text += (text.empty() ? "" : ", ") + cell_text(&each);
    return "[" + text + "]";
  }
  if (value->is_object()) {
    std::string text;
    for (const auto& each : value->get_object()) {
      text += (text.empty() ? "" : ", ") + std::string(std::string_view(each.key())) + "=" +
              cell_text(&each.value());
    }
    return text;
  }
  return json::serialize(*value);
}

std::string term_text(const json::value& value) {
  if (value.is_object()) {
    std::string text;
    for (const auto& each : value.get_object()) {
      text += (text.empty() ? "{" : ",{") + json::serialize(json::value(each.key())) + "," +
              term_text(each.value()) + "}";
    }
    return "[" + text + "]";
  }
  if (value.is_array()) {
    std::string text;
    for (const json::value& each : value.get_array()) text += (text.empty() ? "" : ",") + term_text(each);
    return "[" + text + "]";
  }
  return value.is_null() ? "undefined" : json::serialize(value);
}

// As Erlang reads it: <<"text">>, {<<"key">>,value}.
std::string erlang_text(const json::value& value) {
  if (value.is_string()) return "<<" + json::serialize(value) + ">>";
  if (!value.is_object() && !value.is_array()) return term_text(value);
  std::string text;
  const auto add = [&](const std::string& each) { text += (text.empty() ? "" : ",") + each; };
  if (value.is_array()) {
    for (const json::value& each : value.get_array()) add(erlang_text(each));
  } else {
    for (const auto& each : value.get_object()) {
      add("{<<" + json::serialize(json::value(each.key())) + ">>," + erlang_text(each.value()) + "}");
    }
  }
  return "[" + text + "]";
}

std::string cell_text(const Command& command, const std::string& column, const json::object& row) {
  const json::value* value = row.if_contains(column);
  const auto found = std::ranges::find(command.columns, column, &Column::name);
  const CellForm form = found == command.columns.end() ? CellForm::plain : found->form;
  if (value == nullptr || form == CellForm::plain) return cell_text(value);
  return term_text(*value);
}

std::vector<std::string> chosen_columns(const Command& command, const OutputOptions& options) {
  if (!options.columns.empty()) return options.columns;
  std::vector<std::string> columns;
  const bool all = options.formatter == Formatter::json || command.shape == sluice::http::Shape::one;
  for (const Column& each : command.columns) {
    if (all || each.shown) columns.emplace_back(each.name);
  }
  return columns;
}

// Letters of UTF-8.
std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string boxed(const Table& table) {
  std::vector<std::size_t> widths;
  for (const auto& row : table) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], letters(row[i]));
  }
  const auto rule = [&](const char* left, const char* middle, const char* right) {
    std::string line = left;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      for (std::size_t n = 0; n < widths[i] + 2; ++n) line += "─";
      line += i + 1 < widths.size() ? middle : right;
    }
    return line + "\n";
  };
  if (table.empty()) return {};
  std::string text = rule("┌", "┬", "┐");
  for (std::size_t n = 0; n < table.size(); ++n) {
    if (n != 0) text += rule("├", "┼", "┤");
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += "│ " + table[n][i] + std::string(widths[i] - letters(table[n][i]) + 1, ' ');
    }
    text += "│\n";
  }
  return text + rule("└", "┴", "┘");
}

std::string separated(const Table& table, char separator, bool quotes) {
  std::string text;
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i != 0) text.push_back(separator);
      if (quotes) {
        text.push_back('"');
        for (const char c : row[i]) text.append(c == '"' ? 2 : 1, c);
        text.push_back('"');
      } else {
        text += row[i];
      }
    }
    text.push_back('\n');
  }
  return text;
}

json::object only(const json::object& row, const std::vector<std::string>& columns) {
  json::object kept;
  for (const std::string& column : columns) {
    if (const json::value* value = row.if_contains(column)) kept[column] = *value;
  }
  return kept;
}

std::string format_json(const json::value& reply, const std::vector<std::string>& columns) {
  if (!reply.is_array()) return json::serialize(reply) + "\n";
  json::array rows;
  for (const json::value& row : reply.get_array()) rows.push_back(only(row.as_object(), columns));
  return json::serialize(rows) + "\n";
}

std::string format_erlang(const json::value& reply, const std::vector<std::string>& columns) {
  const auto row_text = [&](const json::object& row) {
    std::string text;
    for (const std::string& column : columns) {
      const json::value* value = row.if_contains(column);
      if (value != nullptr) text += (text.empty() ? "{" : ",{") + column + "," + erlang_text(*value) + "}";
    }
    return "[" + text + "]";
  };
  if (!reply.is_array()) return row_text(reply.as_object()) + "\n";
  std::string text;
  for (const json::value& row : reply.get_array()) {
    text += (text.empty() ? "" : ",\n ") + row_text(row.as_object());
  }
  return "[" + text + "]\n";
}

}  // namespace

std::string format_reply(const Command& command, const json::value& reply, const OutputOptions& options) {
  const std::vector<std::string> columns = chosen_columns(command, options);
  if (options.formatter == Formatter::json) return format_json(reply, columns);
  if (options.formatter == Formatter::erlang) return format_erlang(reply, columns);
  Table table;
  if (command.shape == sluice::http::Shape::one) {
    for (const std::string& column : columns) {
      table.push_back({column, cell_text(command, column, reply.as_object())});
    }
  } else {
    if (options.headers) table.push_back(columns);
    for (const json::value& row : reply.as_array()) {
      auto& cells = table.emplace_back();
      for (const std::string& column : columns) cells.push_back(cell_text(command, column, row.as_object()));
    }
  }
  switch (options.formatter) {
    case Formatter::pretty_table:
      return boxed(table);
    case Formatter::csv:
      return separated(table, ',', true);
    case Formatter::table:
    case Formatter::json:
    case Formatter::erlang:
      return separated(table, '\t', false);
  }
  return {};
}

}  // namespace sluicectl
