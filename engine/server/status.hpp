// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace sluice::server {

/// The name of a status (RFC 9110, 15); "Unknown" for one that has none. At most 40 characters.
std::string_view reason_of(int status);

}  // namespace sluice::server
