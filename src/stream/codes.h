// SPDX-License-Identifier: Apache-2.0
// The protocol's answer to each error of base/error.h.
#pragma once

#include "base/error.h"
#include "streamproto/codes.h"

namespace sluice::stream {

streamproto::ResponseCode response_code(base::Errc error);

template <class T>
streamproto::ResponseCode response_code(const base::Result<T>& result) {
  return result ? streamproto::ResponseCode::ok : response_code(result.error().code);
}

}  // namespace sluice::stream
