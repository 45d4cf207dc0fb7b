// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

namespace detail {

class TimerWheel;

/// A deadline in the timer wheel of the shard that runs on this thread. Intrusive: it belongs to whoever
/// waits, and disarms itself when destroyed. Arming and disarming are O(1) and make no system call.
class Timer {
 public:
  using Function = void (*)(Timer&);

  /// `expired` is called from the shard's loop, once per arm(), never before the deadline.
  explicit Timer(Function expired) noexcept : expired_(expired) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  /// (Re)arms the timer. A deadline in the past expires in the next turn of the loop.
  void arm(TimePoint deadline);
  void disarm() noexcept;
  bool armed() const noexcept { return wheel_ != nullptr; }

 private:
  friend class TimerWheel;
  Function expired_;
  TimerWheel* wheel_ = nullptr;  // where it is armed; the rest is the wheel's business and valid only then
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  std::uint64_t deadline_tick_ = 0;
  std::uint32_t bucket_ = 0;
};

/// The wheel of the shard that runs on this thread; null outside of one.
extern constinit thread_local TimerWheel* current_timer_wheel;

}  // namespace detail
}  // namespace sluice
