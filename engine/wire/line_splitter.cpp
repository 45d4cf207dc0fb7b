// SPDX-License-Identifier: MIT
#include "engine/wire/line_splitter.hpp"

#include <bit>
#include <utility>

#include "engine/wire/byte_scan.hpp"
#include "engine/wire/utf8.hpp"

namespace sluice::wire {
namespace {

using LineEnd = LineSplitter::LineEnd;

/// What is kept for later lines once a long one is done with.
constexpr std::size_t kMostKeptBytes = std::size_t{64} << 10;

// Each kind of ends says which bytes may begin one, and how many bytes the end at `at` has, 0 if it is none.

struct LineFeeds {
  static Bytes16 candidates(Bytes16 bytes) { return equal_to(bytes, '\n'); }
  static std::size_t end_bytes(const char* at, const char*) { return *at == '\n' ? 1 : 0; }
};

struct AsciiEnds {
  static Bytes16 candidates(Bytes16 bytes) { return equal_to(bytes, '\n') | equal_to(bytes, '\r'); }
  static std::size_t end_bytes(const char* at, const char* end) {
    if (*at == '\r') return end - at >= 2 && at[1] == '\n' ? 2 : 1;
    return *at == '\n' ? 1 : 0;
  }
};

struct UnicodeEnds {
  static Bytes16 candidates(Bytes16 bytes) {
    return within(bytes, '\n', '\r') | within(bytes, 0x1C, 0x1E) | equal_to(bytes, 0xC2) |
           equal_to(bytes, 0xE2);
  }
  static std::size_t end_bytes(const char* at, const char* end) {
    switch (*at) {
      case '\n':
      case '\v':
      case '\f':
      case '\x1C':
      case '\x1D':
      case '\x1E':
        return 1;
      case '\xC2':
        return end - at >= 2 && at[1] == '\x85' ? 2 : 0;  // U+0085
      case '\xE2':                                        // U+2028, U+2029
        return end - at >= 3 && at[1] == '\x80' && (at[2] == '\xA8' || at[2] == '\xA9') ? 3 : 0;
      default:
        return AsciiEnds::end_bytes(at, end);
    }
  }
};

template <class Ends>
LineEnd first_end(std::string_view text, std::size_t from) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin + from;
  for (; end - at >= 16; at += 16) {
    for (unsigned bits = top_bits(Ends::candidates(load16(at))); bits != 0; bits &= bits - 1) {
      const char* candidate = at + std::countr_zero(bits);
      const std::size_t bytes = Ends::end_bytes(candidate, end);
      if (bytes != 0) return {static_cast<std::size_t>(candidate - begin), bytes};
    }
  }
  for (; at != end; ++at) {
    const std::size_t bytes = Ends::end_bytes(at, end);
    if (bytes != 0) return {static_cast<std::size_t>(at - begin), bytes};
  }
  return {text.size(), 0};
}

LineEnd first_end(LineMode mode, std::string_view text, std::size_t from) {
  switch (mode) {
    case LineMode::universal:
      return first_end<UnicodeEnds>(text, from);
    case LineMode::sse:
      return first_end<AsciiEnds>(text, from);
    case LineMode::lf:
    case LineMode::crlf:
    case LineMode::ndjson:
      break;
  }
  return first_end<LineFeeds>(text, from);
}

/// Whether CRLF is found by its LF, since the two may come in different pieces; the line takes the CR with it
/// then.
bool found_by_line_feed(LineMode mode) {
  return mode == LineMode::crlf || mode == LineMode::ndjson;
}

bool ends_with(std::string_view text, char c) {
  return !text.empty() && text.back() == c;
}

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

LineSplitter::Event LineSplitter::next(std::string_view& text) {
  if (too_long_) return Event::too_long;
  drop_line();
  skip_what_is_no_line(text);
  while (!text.empty()) {
    const LineEnd end = find_end(text);
    if (end.bytes == 0) return keep(text);
    take_line(text.substr(0, end.offset));
    text.remove_prefix(end.offset);
    skip_line_feed_ = text == "\r" && end.bytes == 1;
    text.remove_prefix(end.bytes);
    if (found_by_line_feed(mode_) && ends_with(line_, '\r')) line_.remove_suffix(1);
    if (const Event event = judge_line(); event != Event::need_more) return event;
  }
  return Event::need_more;
}

LineSplitter::Event LineSplitter::finish() {
  if (too_long_) return Event::too_long;
  drop_line();
  if (unfinished_.empty()) return Event::need_more;
  take_line({});
  return judge_line();
}

void LineSplitter::drop_line() {
  if (!std::exchange(line_is_kept_, false)) return;
  unfinished_.clear();
  if (unfinished_.capacity() > kMostKeptBytes) unfinished_.shrink_to_fit();
}

void LineSplitter::skip_what_is_no_line(std::string_view& text) {
  if (text.empty()) return;
  if (std::exchange(skip_line_feed_, false) && text.front() == '\n') text.remove_prefix(1);
  if (std::exchange(at_start_, false) && mode_ == LineMode::sse && text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
}

LineEnd LineSplitter::find_end(std::string_view text) const {
  LineEnd end = first_end(mode_, text, 0);
  if (mode_ != LineMode::crlf) return end;
  while (end.bytes != 0 && !ends_with(end.offset == 0 ? unfinished_ : text.substr(0, end.offset), '\r')) {
    end = first_end(mode_, text, end.offset + 1);
  }
  return end;
}

void LineSplitter::take_line(std::string_view last_part) {
  line_ = last_part;
  if (unfinished_.empty()) return;
  unfinished_.append(last_part);
  line_ = unfinished_;
  line_is_kept_ = true;
}

LineSplitter::Event LineSplitter::judge_line() {
  too_long_ = line_.size() > max_line_bytes_;
  if (too_long_) return Event::too_long;
  if (mode_ != LineMode::ndjson || !is_blank_line(line_)) return Event::line;
  drop_line();
  return Event::need_more;
}

LineSplitter::Event LineSplitter::keep(std::string_view& text) {
  const std::size_t bytes = unfinished_.size() + text.size();
  const bool may_end = found_by_line_feed(mode_) && text.back() == '\r';
  too_long_ = (may_end ? bytes - 1 : bytes) > max_line_bytes_;
  if (too_long_) return Event::too_long;
  unfinished_.append(text);
  text = {};
  return Event::need_more;
}

}  // namespace sluice::wire
