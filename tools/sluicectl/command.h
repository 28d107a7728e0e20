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
  bool positional = false, required = false, optional = false;

  std::string option_name() const;  // max-length-bytes
};

// How a table shows a cell: tables of arguments as rabbitmqctl does, [{"x-max-length",10}].
enum class CellForm : std::uint8_t { plain, terms };

struct Column {
  std::string_view name, doc;
  bool shown = false;
  CellForm form = CellForm::plain;
};

struct Command {
  std::string_view name, doc;
  std::string_view intro;  // of what is printed first; {name} stands for an argument; empty: made of the name
  sluice::http::Shape shape = sluice::http::Shape::none;
  int refused = 65;  // exit code for what the server refuses
  std::vector<Argument> arguments;
  std::vector<Column> columns;

  std::vector<const Argument*> positional() const;
  std::string usage() const;
};

const std::vector<Command>& all_commands();
const Command* find_command(std::string_view name);
// The command that a mistyped name is probably meant for; empty: none is near.
std::string_view nearest_command(std::string_view name);

}  // namespace sluicectl
