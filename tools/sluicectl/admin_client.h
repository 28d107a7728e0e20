// SPDX-License-Identifier: Apache-2.0
// One request to the server's unix socket and its answer. Blocking, with a time limit.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <variant>

namespace sluicectl {

// As rabbitmqctl's.
enum class ExitCode : int {
  ok = 0,
  usage = 64,
  data = 65,
  no_user = 67,
  unavailable = 69,
  software = 70,
  temporary = 75,
  no_permission = 77
};

struct Failure {
  // Of what the server refuses the command knows better: see Command::refused.
  ExitCode code = ExitCode::software;
  std::string text;
  bool refused = false;
};

using Reply = std::variant<boost::json::value, Failure>;

Reply ask(const std::string& data_dir, std::string_view command, const boost::json::object& arguments,
          int timeout_s);

}  // namespace sluicectl
