// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sluice/shard.hpp>
#include <sluice/task.hpp>

namespace sluice::command {

/// A line of the input, without its end.
struct Line {
  std::uint64_t number = 0;  ///< the first is 1
  std::string text;          ///< what there is of it, if it is too long
  bool too_long = false;
};

/// Reads lines from a file on a thread of its own, since reading may block, and hands them to one task of a
/// shard. It reads no further ahead than one block.
class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 * 1024 * 1024;

  /// "-" is standard input. Throws Failure when there is no such file.
  LineReader(Shard& shard, const std::string& path);
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader();

  /// The next lines, in order; nothing at the end of the input or when it cannot be read. On the shard.
  Task<std::optional<std::vector<Line>>> next();
  /// Throws Failure if the end that next() reported was a failure to read.
  void check() const;

 private:
  struct Handover;

  void live();
  bool wait_for_input() const;
  void take(std::string_view block);
  void end_line();
  bool hand_over();

  std::string path_;
  int fd_;
  int stop_;  // an eventfd: readable when the thread is to end
  std::shared_ptr<Handover> handover_;
  Line line_;  // that is being read
  std::vector<Line> lines_;
  std::thread thread_;
};

}  // namespace sluice::command
