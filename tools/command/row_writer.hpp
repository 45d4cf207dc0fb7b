// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <sluice/shard.hpp>
#include <sluice/task.hpp>

namespace sluice::command {

/// Writes rows to standard output on a thread of its own, since a reader may be slow. Rows are written whole
/// and in order; whoever makes them waits for room() before it begins the work for another.
class RowWriter {
 public:
  explicit RowWriter(Shard& shard);
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  /// Writes what is left, and drops it when that fails.
  ~RowWriter();

  /// Hands a row over, which ends with a newline. On the shard.
  void put(std::string_view row);
  /// Waits until few rows are unwritten. On the shard, one task at a time.
  Task<void> room();
  /// Ends with a Failure when writing fails, else never. On the shard, one task at a time.
  Task<void> failure();
  /// Waits until all rows are written. Throws Failure. Any thread; nothing may be put afterwards.
  void finish();

 private:
  struct Handover;

  void live();
  void end();

  std::shared_ptr<Handover> handover_;
  std::thread thread_;
};

}  // namespace sluice::command
