// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::command {

/// A line of a list, without its end.
struct Line {
  std::uint64_t number = 1;
  std::string text;  ///< what there is of it, if it is too long
  bool too_long = false;
};

/// Makes lines of blocks.
class LineSplitter {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 * 1024 * 1024;

  /// The lines that end in this block.
  std::vector<Line> take(std::string_view block);
  /// After the last block: the line without an end, if there is one.
  std::optional<Line> finish();

 private:
  void append(std::string_view part);
  Line end_line();

  Line line_;  // that has not ended
};

}  // namespace sluice::command
