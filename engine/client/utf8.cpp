// SPDX-License-Identifier: MIT
#include "engine/client/utf8.hpp"

#include <algorithm>

namespace sluice::detail {
namespace {

/// How a sequence may continue after its lead byte (Unicode 15, table 3-7).
struct Sequence {
  int continuation_bytes;    // 0 for ASCII, -1 when the byte cannot begin a sequence
  unsigned char second_low;  // bounds of the second byte; all later ones are 80..BF
  unsigned char second_high;
};

Sequence sequence_of(unsigned char lead) {
  if (lead < 0x80) return {0, 0, 0};
  if (lead < 0xC2) return {-1, 0, 0};
  if (lead < 0xE0) return {1, 0x80, 0xBF};
  if (lead == 0xE0) return {2, 0xA0, 0xBF};
  if (lead == 0xED) return {2, 0x80, 0x9F};  // no surrogates
  if (lead < 0xF0) return {2, 0x80, 0xBF};
  if (lead == 0xF0) return {3, 0x90, 0xBF};
  if (lead < 0xF4) return {3, 0x80, 0xBF};
  if (lead == 0xF4) return {3, 0x80, 0x8F};  // nothing above U+10FFFF
  return {-1, 0, 0};
}

struct Part {
  std::size_t size;
  bool valid;
};

/// The well-formed sequence, or the maximal ill-formed part, that begins at `offset`.
Part part_at(std::string_view text, std::size_t offset) {
  Sequence sequence = sequence_of(static_cast<unsigned char>(text[offset]));
  if (sequence.continuation_bytes < 0) return {1, false};
  std::size_t size = 1;
  unsigned char low = sequence.second_low, high = sequence.second_high;
  for (int i = 0; i < sequence.continuation_bytes; ++i, ++size) {
    if (offset + size == text.size()) return {size, false};
    auto byte = static_cast<unsigned char>(text[offset + size]);
    if (byte < low || byte > high) return {size, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

}  // namespace

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    Part part = part_at(text, offset);
    result += part.valid ? text.substr(offset, part.size) : std::string_view("\xEF\xBF\xBD");
    offset += part.size;
  }
  return result;
}

}  // namespace sluice::detail
