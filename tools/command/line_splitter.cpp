// SPDX-License-Identifier: MIT
#include "tools/command/line_splitter.hpp"

#include <utility>

namespace sluice::command {

std::vector<Line> LineSplitter::take(std::string_view block) {
  std::vector<Line> lines;
  for (;;) {
    std::size_t end = block.find('\n');
    append(block.substr(0, end));
    if (end == std::string_view::npos) return lines;
    lines.push_back(end_line());
    block.remove_prefix(end + 1);
  }
}

std::optional<Line> LineSplitter::finish() {
  if (line_.text.empty()) return std::nullopt;
  return end_line();
}

void LineSplitter::append(std::string_view part) {
  std::size_t room = kMaxLineBytes - line_.text.size();
  line_.text.append(part.substr(0, room));
  if (part.size() > room) line_.too_long = true;
}

Line LineSplitter::end_line() {
  Line next;
  next.number = line_.number + 1;
  return std::exchange(line_, std::move(next));
}

}  // namespace sluice::command
