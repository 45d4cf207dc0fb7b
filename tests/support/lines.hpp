// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/text.hpp>

namespace sluice::testing {

inline constexpr LineMode kLineModes[] = {LineMode::universal, LineMode::lf, LineMode::crlf, LineMode::sse,
                                          LineMode::ndjson};

/// The ends of a mode, longer ones before those that they begin with.
inline std::vector<std::string_view> line_ends(LineMode mode) {
  switch (mode) {
    case LineMode::universal:
      return {"\r\n", "\n",   "\r",       "\v",           "\f",          "\x1C",
              "\x1D", "\x1E", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    case LineMode::lf:
      return {"\n"};
    case LineMode::crlf:
      return {"\r\n"};
    case LineMode::sse:
      return {"\r\n", "\n", "\r"};
    case LineMode::ndjson:
      return {"\r\n", "\n"};
  }
  return {};
}

/// What the lines of a whole text are by definition, one byte after the other.
inline std::vector<std::string> defined_lines(LineMode mode, std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  auto end_line = [&] {
    const bool blank = line.find_first_not_of(" \t\r") == std::string::npos;
    if (mode != LineMode::ndjson || !blank) lines.push_back(line);
    line.clear();
  };
  if (mode == LineMode::sse && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    std::size_t end_bytes = 0;
    for (std::string_view end : line_ends(mode)) {
      if (end_bytes == 0 && text.starts_with(end)) end_bytes = end.size();
    }
    if (end_bytes == 0) {
      line += text.front();
      text.remove_prefix(1);
    } else {
      end_line();
      text.remove_prefix(end_bytes);
    }
  }
  if (!line.empty()) end_line();
  return lines;
}

}  // namespace sluice::testing
