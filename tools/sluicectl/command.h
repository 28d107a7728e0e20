// SPDX-License-Identifier: Apache-2.0
// The commands of src/http/endpoints.h as data: what main needs to parse arguments, print help and choose
// columns. Made from the described structs; nothing about a command is written here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/endpoints.h"

namespace sluicectl {

enum class ArgumentType : std::uint8_t { text, number, flag, list };

struct Argument {
  std::string name;  // as in JSON
  std::string_view doc;
  ArgumentType type = ArgumentType::text;
  bool positional = false, required = false;

  std::string option_name() const;  // max-length-bytes
};

struct Column {
  std::string_view name, doc;
  bool shown = false;
};

struct Command {
  std::string_view name, doc;
  sluice::http::Shape shape = sluice::http::Shape::none;
  std::vector<Argument> arguments;
  std::vector<Column> columns;

  std::vector<const Argument*> positional() const;
  std::string usage() const;
};

const std::vector<Command>& all_commands();
const Command* find_command(std::string_view name);

}  // namespace sluicectl
