// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include <sluice/detail/timer.hpp>
#include <sluice/task.hpp>

#include "tools/command/output.hpp"

namespace sluice::command {

/// A bar on standard error that shows how much of a file has arrived. It takes itself away.
class TransferProgress {
 public:
  /// `before` bytes were there already, `length` more are announced.
  TransferProgress(const Output& output, std::uint64_t before, std::optional<std::uint64_t> length);
  TransferProgress(const TransferProgress&) = delete;
  TransferProgress& operator=(const TransferProgress&) = delete;
  ~TransferProgress();

  /// Draws again and again, until it is cancelled.
  Task<void> run();

 private:
  void draw() const;

  const Output* output_;
  std::uint64_t before_;
  std::optional<std::uint64_t> length_;
  TimePoint begin_;
};

}  // namespace sluice::command
