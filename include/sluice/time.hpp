// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/timer.hpp>

namespace sluice {
namespace detail {

/// The time by this shard's clock.
TimePoint now();

/// now() + duration, without overflow.
TimePoint deadline_after(Duration duration);

/// Suspends until the deadline. Cancelling disarms the timer.
class Sleep {
 public:
  class Awaiter : private Timer {
   public:
    explicit Awaiter(TimePoint deadline) noexcept : Timer(&wake), deadline_(deadline) {}

    bool await_ready() const noexcept { return false; }
    template <SluicePromise Promise>
    void await_suspend(std::coroutine_handle<Promise> sleeper) {
      sleeper_ = &sleeper.promise();
      arm(deadline_);
    }
    void await_resume() const noexcept {}

   private:
    static void wake(Timer& timer) { ready_list().push_back(*static_cast<Awaiter&>(timer).sleeper_); }

    TimePoint deadline_;
    ReadyNode* sleeper_ = nullptr;
  };

  explicit Sleep(TimePoint deadline) noexcept : deadline_(deadline) {}
  Awaiter operator co_await() const noexcept { return Awaiter(deadline_); }

 private:
  TimePoint deadline_;
};

class Yield {
 public:
  bool await_ready() const noexcept { return false; }
  template <SluicePromise Promise>
  void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    ready_list().push_back(self.promise());
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

/// `co_await sleep_until(t)` resumes at t at the earliest and about 0.1 ms later at the latest, if the shard
/// is not busy; with a t in the past, after the other tasks that are ready.
[[nodiscard]] inline detail::Sleep sleep_until(TimePoint deadline) noexcept {
  return detail::Sleep(deadline);
}

/// `co_await sleep_for(3s)`: as sleep_until(), counted from this call.
[[nodiscard]] inline detail::Sleep sleep_for(Duration duration) {
  return detail::Sleep(detail::deadline_after(duration));
}

/// `co_await yield()` lets the other tasks that are ready run first.
[[nodiscard]] inline detail::Yield yield() noexcept {
  return {};
}

}  // namespace sluice
