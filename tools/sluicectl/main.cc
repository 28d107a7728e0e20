// SPDX-License-Identifier: Apache-2.0
// sluicectl: asks a running server over the unix socket in its data directory. Options and columns are
// rabbitmqctl's where it has the command; exit codes too.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
// Words are taken whole: the JSON of a policy has commas.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>
#include <stdexcept>

#include "admin_client.h"
#include "http/admin_socket.h"
#include "output.h"

namespace {

using namespace sluicectl;

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr auto options_with_value = std::to_array<std::string_view>(
    {"-n", "--node", "-p", "--vhost", "-t", "--timeout", "--formatter", "--data-dir"});

// The command may stand after options that hold for all: rabbitmqctl -n x -q list_queues.
std::string take_command(std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (std::ranges::find(options_with_value, words[i]) != options_with_value.end()) {
      ++i;
    } else if (!words[i].starts_with('-')) {
      std::string command = words[i];
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
      return command;
    }
  }
  return {};
}

std::string default_data_dir() {
  const char* from_environment = std::getenv(sluice::http::data_dir_variable);
  return from_environment != nullptr ? from_environment : std::string(sluice::http::default_data_dir);
}

std::string short_and_long(const Argument& argument) {
  constexpr auto short_names = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"vhost", "p,"}, {"if_empty", "e,"}, {"if_unused", "u,"}});
  for (const auto& [name, prefix] : short_names) {
    if (argument.name == name) return std::string(prefix) + argument.option_name();
  }
  return argument.option_name();
}

cxxopts::Options options_of(const Command& command) {
  cxxopts::Options options(command.usage(), std::string(command.doc) + ".\n");
  options.custom_help("").positional_help("");
  auto add = options.add_options();
  for (const Argument& each : command.arguments) {
    if (each.positional) continue;
    const std::string name = short_and_long(each);
    if (each.type == ArgumentType::flag) {
      add(name, std::string(each.doc));
    } else {
      add(name, std::string(each.doc), cxxopts::value<std::string>());
    }
  }
  const auto text = [] { return cxxopts::value<std::string>(); };
  add("formatter", "table, pretty_table, csv, json or erlang", text()->default_value("table"));
  add("no-table-headers", "leave the column names out");
  add("q,quiet", "leave the first line out");
  add("s,silent", "leave the first line and the column names out");
  add("t,timeout", "seconds to wait for the answer", cxxopts::value<int>()->default_value("60"));
  add("data-dir", "data directory of the server (environment: SLUICE_DATA_DIR)",
      text()->default_value(default_data_dir()));
  add("n,node", "taken for the sake of scripts; the data directory says which server", text());
  add("h,help", "print this help");
  add("words", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"words"});
  return options;
}

std::string help_of(const Command& command) {
  std::string text = fmt::format("{}.\n\nUsage:\n  {}\n", command.doc, command.usage());
  if (!command.positional().empty()) text += "\nArguments:\n";
  for (const Argument* each : command.positional())
    text += fmt::format("  {:<28} {}\n", each->name, each->doc);
  text += "\nOptions:\n";
  for (const Argument& each : command.arguments) {
    if (!each.positional) text += fmt::format("  --{:<26} {}\n", each.option_name(), each.doc);
  }
  text +=
      "  --formatter                  table, pretty_table, csv, json or erlang\n"
      "  --no-table-headers           leave the column names out\n"
      "  -q, --quiet                  leave the first line out\n"
      "  -t, --timeout                seconds to wait for the answer (60)\n"
      "  --data-dir                   data directory of the server (environment: SLUICE_DATA_DIR)\n";
  if (command.shape == sluice::http::Shape::list) {
    text += "\nColumns (* shown when none are named):\n";
    for (const Column& each : command.columns) {
      text += fmt::format("  {:<28} {}\n", fmt::format("{}{}", each.name, each.shown ? " *" : ""), each.doc);
    }
  }
  return text;
}

std::string general_help() {
  std::string text = "Usage:\n  sluicectl <command> [arguments] [options]\n\nCommands:\n";
  for (const Command& each : all_commands()) text += fmt::format("  {:<30} {}\n", each.name, each.doc);
  text += "\nsluicectl help <command> shows arguments, options and columns.\n";
  return text;
}

boost::json::value json_of(const Argument& argument, const std::string& text) {
  switch (argument.type) {
    case ArgumentType::flag:
      return true;
    case ArgumentType::number: {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc{} || end != text.data() + text.size()) {
        throw UsageError(fmt::format("--{} takes a whole number, not '{}'", argument.option_name(), text));
      }
      return number;
    }
    case ArgumentType::list: {
      boost::json::array list;
      for (std::string_view rest = text; !rest.empty();) {
        const auto comma = rest.find(',');
        if (comma != 0) list.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      }
      return list;
    }
    case ArgumentType::text:
      break;
  }
  return boost::json::value(text);
}

// What the words and options mean for the command; the rest of the words are columns.
boost::json::object arguments_of(const Command& command, const cxxopts::ParseResult& parsed,
                                 std::vector<std::string>& columns) {
  boost::json::object arguments;
  std::vector<std::string> words;
  if (parsed.count("words") != 0) words = parsed["words"].as<std::vector<std::string>>();
  std::size_t used = 0;
  for (const Argument* each : command.positional()) {
    if (used == words.size() && each->optional) break;
    if (used == words.size())
      throw UsageError(fmt::format("not enough arguments: <{}> is missing", each->name));
    arguments[each->name] = json_of(*each, words[used++]);
  }
  const auto* limit = arguments.if_contains("limit");
  if (limit && (*limit == "absolute" || *limit == "mem_relative") && !arguments.contains("value")) {
    throw UsageError("not enough arguments: <value> is missing");
  }
  for (const Argument& each : command.arguments) {
    if (each.positional) continue;
    if (parsed.count(each.option_name()) != 0) {
      arguments[each.name] = each.type == ArgumentType::flag
                                 ? true
                                 : json_of(each, parsed[each.option_name()].as<std::string>());
    } else if (each.required) {
      throw UsageError(fmt::format("not enough arguments: --{} is missing", each.option_name()));
    }
  }
  for (; used < words.size(); ++used) {
    const bool known =
        command.shape == sluice::http::Shape::list &&
        std::ranges::find(command.columns, words[used], &Column::name) != command.columns.end();
    if (!known && command.shape == sluice::http::Shape::list) {
      throw UsageError(fmt::format("Info key(s) {} are not supported; sluicectl help {} names the columns",
                                   words[used], command.name));
    }
    if (!known) throw UsageError(fmt::format("too many arguments: '{}'", words[used]));
    columns.push_back(words[used]);
  }
  return arguments;
}

Formatter formatter_of(const std::string& name) {
  if (name == "table") return Formatter::table;
  if (name == "pretty_table") return Formatter::pretty_table;
  if (name == "csv") return Formatter::csv;
  if (name == "json") return Formatter::json;
  if (name == "erlang") return Formatter::erlang;
  throw UsageError(
      fmt::format("'{}' is no formatter; there are table, pretty_table, csv, json and erlang", name));
}

// The command's own line with its arguments in the places of their names.
std::string filled(std::string_view intro, const Command& command, const boost::json::object& arguments) {
  std::string text(intro);
  for (const Argument& each : command.arguments) {
    const auto place = text.find("{" + each.name + "}");
    if (place == std::string::npos) continue;
    const boost::json::value* value = arguments.if_contains(each.name);
    std::string shown = each.name == "vhost" ? "/" : each.type == ArgumentType::number ? "0" : "";
    if (each.type == ArgumentType::flag) {  // if_empty
      if (value != nullptr) shown = " if queue is " + each.name.substr(each.name.find('_') + 1);
    } else if (value != nullptr && value->is_string()) {
      shown = std::string_view(value->get_string());
    } else if (value != nullptr) {
      shown = boost::json::serialize(*value);
    }
    text.replace(place, each.name.size() + 2, shown);
  }
  return text + "\n";
}

// "Timeout: 60.0 seconds ..."
std::string with_timeout(std::string text, int timeout_s) {
  constexpr std::string_view place = "{timeout}";
  if (const auto at = text.find(place); at != std::string::npos) {
    text.replace(at, place.size(), fmt::format("{:.1f}", static_cast<double>(timeout_s)));
  }
  return text;
}

// "Listing streams ...", "Adding super stream x ..."
std::string first_line(const Command& command, const boost::json::object& arguments) {
  constexpr auto verbs = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"list_", "Listing "}, {"add_", "Adding "}, {"delete_", "Deleting "}, {"reset_", "Resetting "}});
  if (!command.intro.empty()) return filled(command.intro, command, arguments);
  for (const auto& [prefix, verb] : verbs) {
    if (!command.name.starts_with(prefix)) continue;
    std::string text = std::string(verb) + std::string(command.name.substr(prefix.size()));
    std::ranges::replace(text, '_', ' ');
    for (const Argument* each : command.positional()) {
      text += " " + std::string(std::string_view(arguments.at(each->name).get_string()));
    }
    return text + " ...\n";
  }
  return {};
}

// What was wrong with the words, as rabbitmqctl says it.
void print_usage_error(const Command& command, std::string_view problem,
                       const std::vector<std::string>& words) {
  fmt::print(stderr,
             "Error (argument validation): {}\nArguments given:\n\t{} {}\n\nUsage\n\n{}\n\n"
             "sluicectl help {} shows arguments, options and columns.\n",
             problem, command.name, fmt::join(words, " "), command.usage(), command.name);
}

int run(const Command& command, const std::vector<std::string>& words) {
  cxxopts::Options options = options_of(command);
  std::vector<const char*> argv{"sluicectl"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  const auto parsed = options.parse(static_cast<int>(argv.size()), argv.data());
  if (parsed.count("help") != 0) {
    fmt::print("{}", help_of(command));
    return 0;
  }
  OutputOptions output;
  output.formatter = formatter_of(parsed["formatter"].as<std::string>());
  const bool silent = parsed.count("silent") != 0;
  output.headers = parsed.count("no-table-headers") == 0 && !silent;
  const boost::json::object arguments = arguments_of(command, parsed, output.columns);
  const bool for_machines = output.formatter == Formatter::json || output.formatter == Formatter::csv;
  const bool quiet = silent || parsed.count("quiet") != 0 || for_machines;
  const int timeout_s = parsed["timeout"].as<int>();
  if (!quiet) fmt::print("{}", with_timeout(first_line(command, arguments), timeout_s));
  const Reply reply = ask(parsed["data-dir"].as<std::string>(), command.name, arguments, timeout_s);
  if (const auto* failure = std::get_if<Failure>(&reply)) {
    std::fflush(stdout);
    fmt::print(stderr, "Error:\n{}\n", failure->text);
    return failure->refused ? command.refused : static_cast<int>(failure->code);
  }
  if (command.shape == sluice::http::Shape::text && output.formatter != Formatter::json) {
    if (!quiet || command.name == "version" || command.name == "list_vhost_limits") {
      fmt::print("{}\n", std::string_view(std::get<boost::json::value>(reply).at("text").get_string()));
    }
    return 0;
  }
  if (command.shape != sluice::http::Shape::none) {
    fmt::print("{}", format_reply(command, std::get<boost::json::value>(reply), output));
  }
  return 0;
}

int dispatch(std::vector<std::string> words) {
  std::string name = take_command(words);
  if (name.empty() && std::ranges::find(words, "--version") != words.end()) {
    fmt::print("sluicectl {}\n", SLUICE_VERSION);
    return 0;
  }
  const bool wants_help = name == "help";
  if (wants_help) name = take_command(words);
  if (name.empty()) {
    const bool asked = wants_help || std::ranges::find(words, "--help") != words.end() ||
                       std::ranges::find(words, "-h") != words.end();
    fmt::print(asked ? stdout : stderr, "{}", general_help());
    return asked ? 0 : static_cast<int>(ExitCode::usage);
  }
  // rabbitmq-streams shows what list_stream_tracking does under this name, too.
  if (name == "stream_status" && std::erase(words, "--tracking") != 0) name = "list_stream_tracking";
  const Command* command = find_command(name);
  if (command == nullptr) {
    const std::string_view near = nearest_command(name);
    fmt::print(stderr, "\nCommand '{}' not found.\n{}\nsluicectl help lists the commands.\n", name,
               near.empty() ? "" : fmt::format("Did you mean '{}'?\n", near));
    return static_cast<int>(ExitCode::usage);
  }
  if (wants_help) {
    fmt::print("{}", help_of(*command));
    return 0;
  }
  try {
    return run(*command, words);
  } catch (const std::exception& problem) {  // cxxopts reports mistakes by exceptions
    print_usage_error(*command, problem.what(), words);
    return static_cast<int>(ExitCode::usage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const std::exception& problem) {
    fmt::print(stderr, "sluicectl: {}\n", problem.what());
    return static_cast<int>(sluicectl::ExitCode::software);
  }
}
