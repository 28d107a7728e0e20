// SPDX-License-Identifier: Apache-2.0
// Hexadecimal for example frames, golden files and logs. Spaces are ignored on the way in.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sluice::streamproto {

std::string to_hex(base::ByteView bytes);
// Stops at the first character that is neither a digit nor a space.
base::ByteBuffer from_hex(std::string_view text);

}  // namespace sluice::streamproto
