// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <sluice/detail/timer.hpp>

#include "tools/command/fetch_run.hpp"

namespace sluice::command {

/// How far a fetch has come, on standard error: on a terminal one line that is redrawn in place, elsewhere,
/// if asked for, a line each second. The last one stays.
class FetchProgress {
 public:
  FetchProgress(const FetchCounters& counters, bool asked_for);
  FetchProgress(const FetchProgress&) = delete;
  FetchProgress& operator=(const FetchProgress&) = delete;
  ~FetchProgress();

  bool shown() const noexcept { return terminal_ || asked_for_; }
  /// From one thread at a time.
  void redraw();

 private:
  void draw();

  const FetchCounters* counters_;
  bool terminal_;
  bool asked_for_;
  TimePoint begin_;
  TimePoint last_;
};

}  // namespace sluice::command
