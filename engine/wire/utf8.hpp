// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

#include <sluice/detail/memory.hpp>

/// UTF-8 (Unicode 15, 3.9).
namespace sluice::wire {

/// U+FFFD in UTF-8: what stands for that which cannot be decoded.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
/// U+FEFF in UTF-8.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Bytes in the longest well-formed beginning of the text.
std::size_t well_formed_prefix(std::string_view text);

/// Whether the text is the beginning of a well-formed sequence that goes on behind it.
bool is_incomplete_sequence(std::string_view text);

/// Appends the text with each maximal ill-formed part replaced by U+FFFD ("substitution of maximal subparts",
/// which is what Python and the web do), but for an incomplete sequence at its end. Returns the bytes taken.
std::size_t append_well_formed(detail::String& out, std::string_view text);

/// Appends one code point; U+FFFD for surrogates and what lies above U+10FFFF.
void append_utf8(detail::String& out, char32_t code_point);

}  // namespace sluice::wire
