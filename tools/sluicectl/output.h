// SPDX-License-Identifier: Apache-2.0
// Answers as text: tab separated tables as rabbitmqctl prints them, aligned ones for reading, CSV, JSON.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "command.h"

namespace sluicectl {

enum class Formatter : std::uint8_t { table, pretty_table, csv, json, erlang };

struct OutputOptions {
  Formatter formatter = Formatter::table;
  bool headers = true;
  std::vector<std::string> columns;  // as asked for; empty: those the command shows by default (JSON: all)
};

std::string format_reply(const Command& command, const boost::json::value& reply,
                         const OutputOptions& options);

}  // namespace sluicectl
