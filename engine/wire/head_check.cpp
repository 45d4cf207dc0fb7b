// SPDX-License-Identifier: MIT
#include "engine/wire/head_check.hpp"

namespace sluice::wire {
namespace {

constexpr std::size_t kUsualFields = 16;

/// One character of a version or status against its pattern: 'v' is 0 or 1, 'd' a digit.
bool matches(char pattern, char c) {
  if (pattern == 'd') return is_digit(c);
  if (pattern == 'v') return c == '0' || c == '1';
  return c == pattern;
}

const char* character_fault(char c) {
  if (c == '\n') return "bare LF in a head";
  if (c == '\r') return "bare CR in a head";
  if (c == '\0') return "NUL in a head";
  return "control character in a head";
}

const char* name_fault(char stopped_at, bool empty) {
  if (is_blank(stopped_at)) return empty ? "blank at the start of a header line" : "blank in a header name";
  if (stopped_at == ':') return "empty header name";
  if (stopped_at == '\r' || stopped_at == '\n') return "header line without a colon";
  return "illegal character in a header name";
}

}  // namespace

Progress HeadCheck::scan(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin + line_start_;
  bool blank_line = false;
  while (!blank_line) {
    const char* next;
    if (kind_ != Kind::trailers && !start_line_done_) {
      next = scan_start_line(at, end);
      start_line_done_ = next != nullptr;
    } else if (at != end && *at == '\r') {
      next = scan_line_end(at, end);
      blank_line = next != nullptr;
    } else {
      next = scan_field(begin, at, end);
    }
    if (fault_ != nullptr) return Progress::malformed;
    if (next == nullptr) return Progress::incomplete;
    at = next;
    line_start_ = static_cast<std::uint32_t>(at - begin);
  }
  return Progress::complete;
}

const char* HeadCheck::fail(const char* fault) {
  fault_ = fault;
  return nullptr;
}

const char* HeadCheck::scan_start_line(const char* at, const char* end) {
  return kind_ == Kind::response ? scan_status_line(at, end) : scan_request_line(at, end);
}

// HTTP-version SP 3DIGIT [SP reason] CRLF (RFC 9112, 4). A missing blank before an absent reason is common.
const char* HeadCheck::scan_status_line(const char* at, const char* end) {
  at = scan_version(at, end);
  if (at == nullptr) return nullptr;
  for (char pattern : std::string_view(" ddd")) {
    if (at == end) return nullptr;
    if (!matches(pattern, *at)) return fail("the status code is not three digits");
    ++at;
  }
  facts_.status = static_cast<std::uint16_t>((at[-3] - '0') * 100 + (at[-2] - '0') * 10 + (at[-1] - '0'));
  if (facts_.status < 100) return fail("a status code below 100");
  if (at != end && *at == ' ')
    at = skip_field_text(at, end);
  else if (at != end && is_visible(*at))
    return fail("the status code is not three digits");
  return scan_line_end(at, end);
}

// method SP request-target SP HTTP-version CRLF (RFC 9112, 3)
const char* HeadCheck::scan_request_line(const char* at, const char* end) {
  const char* method_end = skip_token(at, end);
  if (method_end == end) return nullptr;
  if (method_end == at || *method_end != ' ') return fail("malformed request line: bad method");
  const char* target = method_end + 1;
  const char* target_end = skip_visible(target, end);
  if (target_end == end) return nullptr;
  if (target_end == target || *target_end != ' ') return fail("malformed request line: bad target");
  at = scan_version(target_end + 1, end);
  return at == nullptr ? nullptr : scan_line_end(at, end);
}

const char* HeadCheck::scan_version(const char* at, const char* end) {
  for (char pattern : std::string_view("HTTP/1.v")) {
    if (at == end) return nullptr;
    if (!matches(pattern, *at)) return fail("not HTTP/1.0 or HTTP/1.1");
    ++at;
  }
  facts_.version_minor = static_cast<std::uint8_t>(at[-1] - '0');
  return at;
}

const char* HeadCheck::scan_field(const char* text, const char* at, const char* end) {
  const char* name_end = skip_token(at, end);
  if (name_end == end) return nullptr;
  if (*name_end != ':' || name_end == at) return fail(name_fault(*name_end, name_end == at));
  const char* value_end = skip_field_text(name_end + 1, end);
  const char* next = scan_line_end(value_end, end);
  if (next == nullptr) return nullptr;
  if (fields_.size() == max_fields_) return fail("too many header fields");
  if (fields_.empty()) fields_.reserve(kUsualFields);
  const std::string_view value = trim_blanks({name_end + 1, value_end});
  fields_.push_back({static_cast<std::uint32_t>(at - text), static_cast<std::uint32_t>(name_end - at),
                     static_cast<std::uint32_t>(value.data() - text),
                     static_cast<std::uint32_t>(value.size())});
  if (kind_ == Kind::trailers) return next;  // they frame nothing (RFC 9110, 6.5.1)
  const char* fault = facts_.framing.note({at, name_end}, {name_end + 1, value_end});
  return fault == nullptr ? next : fail(fault);
}

const char* HeadCheck::scan_line_end(const char* at, const char* end) {
  if (at == end) return nullptr;
  if (*at != '\r') return fail(character_fault(*at));
  if (at + 1 == end) return nullptr;
  return at[1] == '\n' ? at + 2 : fail(character_fault('\r'));
}

void HeadCheck::move_fields(std::string_view block, Headers& headers) {
  constexpr std::size_t kBlankLine = 2;
  headers.clear();
  if (fields_.empty()) return;
  const std::uint32_t begin = fields_.front().name;
  headers.lines_.assign(block.substr(begin, block.size() - begin - kBlankLine));
  for (Headers::Entry& field : fields_) {
    field.name -= begin;
    field.value -= begin;
  }
  headers.index_.swap(fields_);
}

}  // namespace sluice::wire
