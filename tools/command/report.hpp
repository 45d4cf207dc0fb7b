// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "tools/command/tally.hpp"

namespace sluice::command {

/// What a load cost this process, in microseconds of CPU time.
struct CpuTime {
  double user = 0;
  double system = 0;

  /// Of this process so far.
  static CpuTime now();
  friend CpuTime operator-(CpuTime a, CpuTime b) { return {a.user - b.user, a.system - b.system}; }
};

/// The summary for people.
std::string summary(const Tally& tally, CpuTime cpu);
/// The summary as one JSON object on a line.
std::string json_summary(const Tally& tally, CpuTime cpu);
/// The line that is shown while the load runs.
std::string live_line(const Tally& tally, double seconds);

}  // namespace sluice::command
