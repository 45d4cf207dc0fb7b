// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace sluice::wire {

/// The bytes in the content coding gzip (RFC 1952).
std::string gzip(std::string_view bytes);

}  // namespace sluice::wire
