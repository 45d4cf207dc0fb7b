// SPDX-License-Identifier: MIT
#include "engine/wire/chunk_line.hpp"

#include "engine/wire/grammar.hpp"

namespace sluice::wire {
namespace {

constexpr unsigned hex_value(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  return static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

}  // namespace

Progress ChunkLine::scan(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* const size_end = scan_size(begin, end);
  const char* at = size_end;
  while (at != nullptr && at != end && *at == ';') at = scan_extension(at + 1, end);
  const char* const extensions_end = at;
  if (at != nullptr) at = scan_line_end(at, end);
  if (fault_ != nullptr) return Progress::malformed;
  if (at == nullptr) return Progress::incomplete;
  size_ = static_cast<std::size_t>(at - begin);
  extension_bytes_ = static_cast<std::size_t>(extensions_end - size_end);
  return Progress::complete;
}

const char* ChunkLine::fail(const char* fault) {
  fault_ = fault;
  return nullptr;
}

const char* ChunkLine::scan_size(const char* at, const char* end) {
  const char* const begin = at;
  chunk_size_ = 0;
  for (; at != end && is_hex_digit(*at); ++at) {
    if (static_cast<std::size_t>(at - begin) == kMaxDigits || chunk_size_ > (INT64_MAX >> 4))
      return fail("chunk size too large");
    chunk_size_ = chunk_size_ << 4 | hex_value(*at);
  }
  if (at == end) return nullptr;
  return at == begin ? fail("malformed chunk size") : at;
}

// BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] BWS; the last blanks only in front of another ";".
const char* ChunkLine::scan_extension(const char* at, const char* end) {
  const char* name = skip_blanks(at, end);
  at = skip_token(name, end);
  if (at == end) return nullptr;
  if (at == name) return fail("malformed chunk extension");
  const char* next = skip_blanks(at, end);
  if (next != end && *next == '=') {
    at = scan_value(skip_blanks(next + 1, end), end);
    if (at == nullptr) return nullptr;
    next = skip_blanks(at, end);
  }
  if (next == end) return nullptr;
  return *next == ';' ? next : at;
}

const char* ChunkLine::scan_value(const char* at, const char* end) {
  if (at != end && *at == '"') return scan_quoted(at + 1, end);
  const char* value_end = skip_token(at, end);
  if (value_end == end) return nullptr;
  return value_end == at ? fail("malformed chunk extension") : value_end;
}

// The rest of a quoted-string (RFC 9110, 5.6.4)
const char* ChunkLine::scan_quoted(const char* at, const char* end) {
  for (; at != end; ++at) {
    if (*at == '"') return at + 1;
    if (*at == '\\' && ++at == end) return nullptr;
    if (!is_field_text(*at)) return fail("malformed quoted chunk extension");
  }
  return nullptr;
}

const char* ChunkLine::scan_line_end(const char* at, const char* end) {
  if (at == end) return nullptr;
  if (*at != '\r') return fail("illegal character after a chunk size");
  if (at + 1 == end) return nullptr;
  return at[1] == '\n' ? at + 2 : fail("bare CR after a chunk size");
}

}  // namespace sluice::wire
