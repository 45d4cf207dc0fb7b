// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

/// The character classes and small productions of HTTP/1.1 that readers and writers share (RFC 9110, 5.5
/// and 5.6).
namespace sluice::wire {

namespace detail_grammar {

enum CharacterClass : std::uint8_t { kToken = 1, kVisible = 2, kFieldText = 4, kHexDigit = 8 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    bool digit = c >= '0' && c <= '9';
    bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    bool mark = std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    bool hex_letter = (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
    if (digit || alpha || mark) classes[c] |= kToken;
    if (c > 0x20 && c < 0x7F) classes[c] |= kVisible;
    if (c == '\t' || (c >= 0x20 && c != 0x7F)) classes[c] |= kFieldText;
    if (digit || hex_letter) classes[c] |= kHexDigit;
  }
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

constexpr bool is(char c, CharacterClass wanted) {
  return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

template <class Word>
bool same_word(const char* text, const char* word) {
  Word a;
  Word b;
  std::memcpy(&a, text, sizeof a);
  std::memcpy(&b, word, sizeof b);
  return (a | (std::numeric_limits<Word>::max() / 255 * 0x20)) == b;
}

}  // namespace detail_grammar

constexpr bool is_token_char(char c) {
  return detail_grammar::is(c, detail_grammar::kToken);
}
constexpr bool is_visible(char c) {
  return detail_grammar::is(c, detail_grammar::kVisible);
}
/// What may stand in a field value or reason: HTAB, SP, VCHAR and obs-text.
constexpr bool is_field_text(char c) {
  return detail_grammar::is(c, detail_grammar::kFieldText);
}
constexpr bool is_hex_digit(char c) {
  return detail_grammar::is(c, detail_grammar::kHexDigit);
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// The first position in [at, end) that is not a token character.
constexpr const char* skip_token(const char* at, const char* end) {
  while (at != end && is_token_char(*at)) ++at;
  return at;
}

constexpr const char* skip_visible(const char* at, const char* end) {
  while (at != end && is_visible(*at)) ++at;
  return at;
}

constexpr const char* skip_blanks(const char* at, const char* end) {
  while (at != end && is_blank(*at)) ++at;
  return at;
}

/// The first position in [at, end) that is not field text; eight bytes a step, since values are most of a
/// head.
inline const char* skip_field_text(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  while (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    std::uint64_t deleted = word ^ (kOnes * 0x7F);
    // The lowest marked byte is exact: borrows run upwards only.
    std::uint64_t marks = (((word - kOnes * 0x20) & ~word) | ((deleted - kOnes) & ~deleted)) & (kOnes * 0x80);
    if (marks == 0) {
      at += 8;
      continue;
    }
    at += std::countr_zero(marks) / 8;
    if (*at != '\t') return at;
    ++at;
  }
  while (at != end && is_field_text(*at)) ++at;
  return at;
}

/// Whether `text`, which is field text, is the word, whatever the case of its letters. The word is of lower
/// case letters and '-': with the bit 0x20 set no other field text looks like it.
template <std::size_t kBytes>
bool is_word(std::string_view text, const char (&word)[kBytes]) {
  constexpr std::size_t kSize = kBytes - 1;
  using Word = std::conditional_t<(kSize >= 8), std::uint64_t, std::uint32_t>;
  static_assert(kSize >= sizeof(Word));
  if (text.size() != kSize) return false;
  constexpr std::size_t kLast = kSize - sizeof(Word);  // overlaps the one before it
  for (std::size_t i = 0; i < kLast; i += sizeof(Word))
    if (!detail_grammar::same_word<Word>(text.data() + i, word + i)) return false;
  return detail_grammar::same_word<Word>(text.data() + kLast, word + kLast);
}

constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls note(member) for each comma separated member, trimmed, empty ones too, until one returns a fault.
template <class Note>
const char* first_fault(std::string_view list, Note note) {
  while (true) {
    std::size_t comma = list.find(',');
    if (const char* fault = note(trim_blanks(list.substr(0, comma)))) return fault;
    if (comma == std::string_view::npos) return nullptr;
    list.remove_prefix(comma + 1);
  }
}

/// The value of 1*DIGIT if it fits into 63 bits (RFC 9110, 8.6).
std::optional<std::uint64_t> parse_length(std::string_view digits);

}  // namespace sluice::wire
