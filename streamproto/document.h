// SPDX-License-Identifier: Apache-2.0
// Text made from the command list: PROTOCOL.md and the golden file of example frames. Called by the tests,
// which compare with the files in the repository and rewrite them when SLUICE_UPDATE is set.
#pragma once

#include <string>

namespace sluice::streamproto {

std::string protocol_document();
// One line per example frame: command, version, hexadecimal.
std::string example_lines();

}  // namespace sluice::streamproto
