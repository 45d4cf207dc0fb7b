// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/text.hpp>

namespace sluice::wire {

/// Splits text into lines, piece by piece, in linear time. A line that stands whole in one piece is not
/// copied; only the beginning of an unfinished line is kept.
///
/// Text is UTF-8, and each piece ends between two characters, as TextDecoder gives it.
class LineSplitter {
 public:
  enum class Event : std::uint8_t { line, need_more, too_long };

  /// A line of more than `max_line_bytes` bytes, its end not counted, is too long: nothing comes after that.
  LineSplitter(LineMode mode, std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes), mode_(mode) {}

  /// Takes the next line, or all of the text, off the front of `text`.
  Event next(std::string_view& text);

  /// At the end of the text: the last line if nothing ended it (once), otherwise need_more.
  Event finish();

  /// The line, without its end, after Event::line. In the text or in memory of the splitter; valid until the
  /// next call.
  std::string_view line() const { return line_; }

  struct LineEnd {
    std::size_t offset;
    std::size_t bytes;  // 0: there is none
  };

 private:
  void drop_line();
  void skip_what_is_no_line(std::string_view& text);
  LineEnd find_end(std::string_view text) const;
  void take_line(std::string_view last_part);
  Event judge_line();
  Event keep(std::string_view& text);

  std::size_t max_line_bytes_;
  detail::String unfinished_;
  std::string_view line_;
  LineMode mode_;
  bool at_start_ = true;
  bool skip_line_feed_ = false;  // the LF of a CRLF that was cut in two
  bool line_is_kept_ = false;    // line_ stands in unfinished_
  bool too_long_ = false;
};

}  // namespace sluice::wire
