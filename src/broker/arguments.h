// SPDX-License-Identifier: Apache-2.0
// Names and arguments of streams: what is allowed, and what a log is opened with. Pure; called by the shard
// that got the request (to refuse early) and by the owner of a log (to open it). The table of arguments is
// documented in the stream protocol reference, "Create".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "broker/options.h"
#include "broker/types.h"
#include "log/log.h"

namespace sluice::broker {

inline constexpr std::size_t name_bytes_max = 255;

// The name with CR and LF removed. precondition_failed: empty, too long, or reserved (`amq.`).
base::Result<std::string> normalise_name(std::string_view name);

// Keeps the arguments that have a meaning, numbers in their shortest form, so that equal maps mean equal
// streams. precondition_failed names the argument and what would be right.
base::Result<StreamArguments> normalise_arguments(const StreamArguments& arguments);

// `<n>` followed by one of Y M D h m s; nothing for anything else.
std::optional<std::int64_t> to_age_ms(std::string_view text);

// From arguments that normalise_arguments returned; what they leave open comes from the options.
log::Options to_log_options(const StreamArguments& arguments, const BrokerOptions& options);

}  // namespace sluice::broker
