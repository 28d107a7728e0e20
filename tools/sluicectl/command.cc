// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <algorithm>

namespace sluicectl {
namespace {

using namespace sluice;

template <class Trait, class Struct, class Member, class... Traits>
constexpr bool has_trait(const base::Field<Struct, Member, Traits...>&) {
  return (std::is_same_v<Trait, Traits> || ...);
}

template <class Struct, class Member, class... Traits>
Argument argument_of(const base::Field<Struct, Member, Traits...>& field) {
  Argument argument{std::string(field.name), field.doc};
  argument.positional = has_trait<http::Positional>(field);
  argument.required = has_trait<http::Required>(field);
  argument.optional = has_trait<http::Optional>(field);
  if constexpr (std::is_same_v<Member, bool>) {
    argument.type = ArgumentType::flag;
  } else if constexpr (std::is_integral_v<Member>) {
    argument.type = ArgumentType::number;
  } else if constexpr (std::is_same_v<Member, std::vector<std::string>>) {
    argument.type = ArgumentType::list;
  } else {
    static_assert(std::is_same_v<Member, std::string>, "no argument of this type");
  }
  return argument;
}

template <class Struct, class Member, class... Traits>
CellForm form_of(const base::Field<Struct, Member, Traits...>&) {
  return std::is_same_v<Member, base::FieldTable> ? CellForm::terms : CellForm::plain;
}

template <class E>
Command command_of() {
  Command command;
  command.name = E::name;
  command.doc = E::doc;
  command.shape = E::shape;
  if constexpr (requires { E::refused; }) command.refused = E::refused;
  if constexpr (requires { E::intro; }) command.intro = E::intro;
  http::for_each_field_of<typename E::Request>(
      [&](const auto& field) { command.arguments.push_back(argument_of(field)); });
  http::for_each_field_of<typename E::Row>([&](const auto& field) {
    command.columns.push_back({field.name, field.doc, has_trait<http::Shown>(field), form_of(field)});
  });
  return command;
}

}  // namespace

std::string Argument::option_name() const {
  std::string option = name;
  std::ranges::replace(option, '_', '-');
  return option;
}

std::vector<const Argument*> Command::positional() const {
  std::vector<const Argument*> found;
  for (const Argument& each : arguments) {
    if (each.positional) found.push_back(&each);
  }
  return found;
}

std::string Command::usage() const {
  std::string text = "sluicectl " + std::string(name);
  for (const Argument* each : positional()) {
    text += each->optional ? " [" + each->name + "]" : " <" + each->name + ">";
  }
  for (const Argument& each : arguments) {
    if (each.required) text += " --" + each.option_name() + " <" + each.name + ">";
  }
  text += " [options]";
  if (shape == http::Shape::list) text += " [column ...]";
  return text;
}

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> made;
    http::for_each_endpoint(http::Endpoints{}, [&]<class E>(E) { made.push_back(command_of<E>()); });
    return made;
  }();
  return commands;
}

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(all_commands(), name, &Command::name);
  return found == all_commands().end() ? nullptr : &*found;
}

std::string_view nearest_command(std::string_view name) {
  // Letters to insert, remove or exchange, row by row (Levenshtein).
  const auto distance = [&](std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const std::size_t exchanged = diagonal + (name[i - 1] == other[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
      }
    }
    return row.back();
  };
  constexpr std::size_t name_max = 100;
  if (name.size() > name_max) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 4) + 1;
  for (const Command& each : all_commands()) {
    if (const auto far = distance(each.name); far < best_distance) {
      best = each.name;
      best_distance = far;
    }
  }
  return best;
}

}  // namespace sluicectl
