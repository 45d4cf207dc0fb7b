// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <utility>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/task.hpp>

#include "engine/coro/timer_wheel.hpp"

namespace sluice::testing {

/// A shard without a kernel: a ready list and a timer wheel in virtual time, which jumps to the next deadline
/// when nothing is ready. A task that waits for what will never happen throws "would have deadlocked" instead
/// of hanging. One at a time per thread.
class TestLoop {
 public:
  TestLoop()
      : timers_(start(), [] { return virtual_now; }),
        previous_ready_(std::exchange(detail::current_ready_list, &ready_)),
        previous_timers_(std::exchange(detail::current_timer_wheel, &timers_)) {
    virtual_now = start();
  }
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;
  ~TestLoop() {
    detail::current_ready_list = previous_ready_;
    detail::current_timer_wheel = previous_timers_;
  }

  /// Runs the task to its end; returns its value or throws what it threw.
  template <class T>
  T run(Task<T> task) {
    Completion completion;
    task.start(completion);
    while (!completion.done) {
      if (!step()) throw std::logic_error("would have deadlocked");
    }
    return task.take();
  }

  /// Runs the task until it is done or `steps` steps were made, then cancels it; returns whether it had not
  /// ended. Afterwards idle() tells whether it has left anything behind.
  template <class T>
  bool cancel_after(std::size_t steps, Task<T> task) {
    Completion completion;
    task.start(completion);
    while (!completion.done && steps > 0 && step()) --steps;
    task.reset();
    return !completion.done;
  }

  /// Nothing is ready and no timer is armed: nothing will ever run again.
  bool idle() const noexcept { return ready_.empty() && timers_.empty(); }

  /// Runs one ready node; when there is none, lets time pass to the next timer. False when there is neither.
  bool step() {
    if (ready_.empty() && !pass_time()) return false;
    steps_ += ready_.run(1);
    return true;
  }
  /// Steps until nothing is ready and no timer is armed.
  void run_all() {
    while (step()) {
    }
  }

  detail::ReadyList& ready() noexcept { return ready_; }
  detail::TimerWheel& timers() noexcept { return timers_; }
  std::size_t steps() const noexcept { return steps_; }
  TimePoint now() const noexcept { return virtual_now; }
  Duration elapsed() const noexcept { return virtual_now - start(); }

 private:
  struct Completion : detail::ReadyNode {
    Completion() : ReadyNode([](ReadyNode& node) { static_cast<Completion&>(node).done = true; }) {}
    bool done = false;
  };

  static TimePoint start() { return TimePoint(std::chrono::hours(1)); }
  bool pass_time() {
    std::optional<TimePoint> deadline = timers_.next_deadline();
    if (!deadline) return false;
    if (*deadline > virtual_now) virtual_now = *deadline;
    timers_.advance(virtual_now);
    return true;
  }

  static inline thread_local TimePoint virtual_now{};

  detail::ReadyList ready_;
  detail::TimerWheel timers_;
  std::size_t steps_ = 0;
  detail::ReadyList* previous_ready_;
  detail::TimerWheel* previous_timers_;
};

}  // namespace sluice::testing
