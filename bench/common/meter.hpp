// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace bench {

// Every client runs this long before its meter starts, so that neither start-up nor connecting counts.
inline constexpr double kWarmUpSeconds = 0.1;

struct Counters {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> enters = std::nullopt;  // only where the client counts its own system calls
};

// The time and CPU of this process between its construction and report(), which prints one JSON object.
// Its totals count from the program's start, for one who measures the process from outside. GB is 10^9 bytes.
class Meter {
 public:
  explicit Meter(Counters start);
  void report(Counters end) const;

 private:
  struct Cpu {
    double user_us, system_us;
  };
  static Cpu cpu();

  Counters start_;
  Cpu start_cpu_ = cpu();
  std::chrono::steady_clock::time_point start_time_ = std::chrono::steady_clock::now();
};

// Prints one JSON object: the bytes done so far, and the resident memory of this process, now and at its
// peak.
void report_memory(std::uint64_t bytes);

}  // namespace bench
