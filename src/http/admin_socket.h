// SPDX-License-Identifier: Apache-2.0
// Where the server and sluicectl meet.
#pragma once

#include <string>
#include <string_view>

namespace sluice::http {

inline constexpr std::string_view default_data_dir = "/var/lib/sluice";
// Words in answers of failed commands that sluicectl has exit codes for.
inline constexpr std::string_view no_vhost_word = "no_vhost", no_user_word = "no_user";
inline constexpr const char* data_dir_variable = "SLUICE_DATA_DIR";  // environment, both programs

inline std::string admin_socket_path(const std::string& data_dir) {
  return data_dir + "/sluice.sock";
}

}  // namespace sluice::http
