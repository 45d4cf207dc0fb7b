// SPDX-License-Identifier: MIT
#include "engine/wire/utf8.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/wire/byte_scan.hpp"

namespace sluice::wire {
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

enum class Form : std::uint8_t { well_formed, ill_formed, incomplete };

struct Part {
  std::size_t size;
  Form form;
};

/// The well-formed sequence, or the maximal ill-formed part, at the start of a text that is not empty.
Part first_part(std::string_view text) {
  Sequence sequence = sequence_of(static_cast<unsigned char>(text[0]));
  if (sequence.continuation_bytes < 0) return {1, Form::ill_formed};
  std::size_t size = 1;
  unsigned char low = sequence.second_low, high = sequence.second_high;
  for (int i = 0; i < sequence.continuation_bytes; ++i, ++size) {
    if (size == text.size()) return {size, Form::incomplete};
    auto byte = static_cast<unsigned char>(text[size]);
    if (byte < low || byte > high) return {size, Form::ill_formed};
    low = 0x80;
    high = 0xBF;
  }
  return {size, Form::well_formed};
}

/// The four bytes at `at`, the first in the lowest eight bits.
std::uint32_t load4(const char* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return std::endian::native == std::endian::big ? __builtin_bswap32(word) : word;
}

/// Bytes in the well-formed sequence of two to four bytes at the start of the word; 0 if there is none. The
/// same as table 3-7.
int sequence_bytes(std::uint32_t word) {
  if ((word & 0xC0E0) == 0x80C0) return (word & 0x1E) != 0 ? 2 : 0;
  if ((word & 0xC0C0F0) == 0x8080E0) {
    const std::uint32_t second = word & 0x200F;  // the lead's last bits and whether the second is A0 or more
    return second != 0 && second != 0x200D ? 3 : 0;
  }
  if ((word & 0xC0C0C0F8) == 0x808080F0) {
    const std::uint32_t lead = word & 7;
    const bool second_is_low = (word & 0x3000) == 0;
    return (lead == 0 && second_is_low) || lead > 4 || (lead == 4 && !second_is_low) ? 0 : 4;
  }
  return 0;
}

/// The first position in [at, end) where four ASCII bytes follow, no sequence is well-formed, or fewer than
/// four bytes are left: the way through text that is not mainly ASCII.
const char* skip_sequences(const char* at, const char* end) {
  while (end - at >= 4) {
    const std::uint32_t word = load4(at);
    const std::uint32_t not_ascii = word & 0x80808080;
    if (not_ascii == 0) return at;
    const int bytes = (word & 0x80) != 0 ? sequence_bytes(word) : std::countr_zero(not_ascii) / 8;
    if (bytes == 0) return at;
    at += bytes;
  }
  return at;
}

}  // namespace

std::size_t well_formed_prefix(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while ((at = skip_ascii(at, end)) != end) {
    at = skip_sequences(at, end);
    if (at == end) break;
    const Part part = first_part({at, static_cast<std::size_t>(end - at)});
    if (part.form != Form::well_formed) return static_cast<std::size_t>(at - text.data());
    at += part.size;
  }
  return text.size();
}

bool is_incomplete_sequence(std::string_view text) {
  if (text.empty()) return false;
  const Part part = first_part(text);
  return part.form == Form::incomplete && part.size == text.size();
}

std::size_t append_well_formed(detail::String& out, std::string_view text) {
  std::string_view rest = text;
  while (true) {
    const std::size_t valid = well_formed_prefix(rest);
    out.append(rest.data(), valid);
    rest.remove_prefix(valid);
    if (rest.empty()) return text.size();
    const Part part = first_part(rest);
    if (part.form == Form::incomplete) return text.size() - rest.size();
    out.append(kReplacement);
    rest.remove_prefix(part.size);
  }
}

void append_utf8(detail::String& out, char32_t code_point) {
  auto continuation = [code_point](int shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += {static_cast<char>(0xC0 | (code_point >> 6)), continuation(0)};
  } else if ((code_point >= 0xD800 && code_point < 0xE000) || code_point > 0x10FFFF) {
    out += kReplacement;
  } else if (code_point < 0x10000) {
    out += {static_cast<char>(0xE0 | (code_point >> 12)), continuation(6), continuation(0)};
  } else {
    out += {static_cast<char>(0xF0 | (code_point >> 18)), continuation(12), continuation(6), continuation(0)};
  }
}

}  // namespace sluice::wire
