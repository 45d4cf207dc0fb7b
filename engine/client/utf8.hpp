// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace sluice::detail {

/// The text with each maximal ill-formed part replaced by U+FFFD (Unicode 15, 3.9, "substitution of maximal
/// subparts", which is what Python and the web do).
std::string to_valid_utf8(std::string_view text);

}  // namespace sluice::detail
