// SPDX-License-Identifier: Apache-2.0
#include "streamproto/commands.h"

namespace sluice::streamproto {

std::vector<CommandVersions> server_command_versions() {
  std::vector<CommandVersions> versions;
  for_each_command(AllCommands{}, [&]<Command T>() {
    if constexpr (T::info.exchanged) versions.push_back({T::info.key, 1, T::info.max_version});
  });
  return versions;
}

std::vector<CommandVersions> client_command_versions() {
  std::vector<CommandVersions> versions;
  for_each_command(AllCommands{}, [&]<Command T>() {
    if constexpr (!T::info.response) versions.push_back({T::info.key, 1, T::info.max_version});
  });
  return versions;
}

std::string_view command_name(Key key) {
  std::string_view name = "?";
  for_each_command(AllCommands{}, [&]<Command T>() {
    if (T::info.key == key && !T::info.response) name = T::info.name;
  });
  return name;
}

}  // namespace sluice::streamproto
