// SPDX-License-Identifier: MIT
//
// What the coroutine core costs: a switch between tasks, an await, a timer, a combinator, a child of a scope.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <sluice/combinators.hpp>
#include <sluice/generator.hpp>
#include <sluice/scope.hpp>
#include <sluice/task.hpp>
#include <sluice/time.hpp>

#include "engine/coro/timer_wheel.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

/// A ready list and a timer wheel for this thread, and nothing below them.
class BareLoop {
 public:
  BareLoop() {
    detail::current_ready_list = &ready_;
    detail::current_timer_wheel = &timers_;
  }
  BareLoop(const BareLoop&) = delete;
  ~BareLoop() {
    detail::current_ready_list = nullptr;
    detail::current_timer_wheel = nullptr;
  }

  template <class T>
  T run(Task<T> task) {
    detail::ReadyNode nobody([](detail::ReadyNode&) {});
    task.start(nobody);
    while (!task.done()) ready_.run(SIZE_MAX);
    ready_.run(SIZE_MAX);
    return task.take();
  }
  detail::TimerWheel& timers() noexcept { return timers_; }

 private:
  detail::ReadyList ready_;
  detail::TimerWheel timers_{Clock::now()};
};

Task<int> one() {
  co_return 1;
}
Task<void> nothing() {
  co_return;
}

/// Runs `body(count)` with as many repetitions as the benchmark wants, in one task.
template <class F>
void repeat(benchmark::State& state, F body) {
  BareLoop loop;
  constexpr std::size_t kBatch = 1000;
  while (state.KeepRunningBatch(kBatch)) loop.run(body(kBatch));
}

void await_ready_child(benchmark::State& state) {
  repeat(state, [](std::size_t count) -> Task<void> {
    int sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += co_await one();
    benchmark::DoNotOptimize(sum);
  });
}
BENCHMARK(await_ready_child);

void task_switch(benchmark::State& state) {
  repeat(state, [](std::size_t count) -> Task<void> {
    for (std::size_t i = 0; i < count; ++i) co_await yield();
  });
}
BENCHMARK(task_switch);

void when_all_of_two(benchmark::State& state) {
  repeat(state, [](std::size_t count) -> Task<void> {
    for (std::size_t i = 0; i < count; ++i) benchmark::DoNotOptimize(co_await when_all(one(), one()));
  });
}
BENCHMARK(when_all_of_two);

void with_timeout_in_time(benchmark::State& state) {
  repeat(state, [](std::size_t count) -> Task<void> {
    for (std::size_t i = 0; i < count; ++i) co_await with_timeout(5s, nothing());
  });
}
BENCHMARK(with_timeout_in_time);

void scope_child(benchmark::State& state) {
  repeat(state, [](std::size_t count) -> Task<void> {
    co_await scope([count](Scope& scope) -> Task<void> {
      for (std::size_t i = 0; i < count; ++i) {
        scope.spawn(nothing);
        if (i % 8 == 7) co_await yield();
      }
    });
  });
}
BENCHMARK(scope_child);

void generator_next(benchmark::State& state) {
  auto numbers = []() -> Generator<std::uint64_t> {
    for (std::uint64_t i = 0;; ++i) co_yield i;
  };
  repeat(state, [&](std::size_t count) -> Task<void> {
    auto generator = numbers();
    for (std::size_t i = 0; i < count; ++i) benchmark::DoNotOptimize(co_await generator.next());
  });
}
BENCHMARK(generator_next);

// ---- timers

void ignore(detail::Timer&) {}

/// Arming and disarming a deadline of seconds, as every request does, among others that are armed.
void timer_arm_disarm(benchmark::State& state) {
  BareLoop loop;
  std::vector<std::unique_ptr<detail::Timer>> others;
  TimePoint now = Clock::now();
  for (int i = 0; i < state.range(0); ++i) {
    others.push_back(std::make_unique<detail::Timer>(&ignore));
    others.back()->arm(now + i * 1ms);
  }
  detail::Timer timer(&ignore);
  for ([[maybe_unused]] auto _ : state) {
    timer.arm(now + 5s);
    timer.disarm();
  }
}
BENCHMARK(timer_arm_disarm)->Arg(0)->Arg(10'000);

/// One turn's worth of time, with that many timers armed for the next ten seconds; each that fires is armed
/// again.
void timer_advance(benchmark::State& state) {
  BareLoop loop;
  static TimePoint now;
  now = Clock::now();
  auto rearm = [](detail::Timer& timer) { timer.arm(now + 10s); };
  std::vector<std::unique_ptr<detail::Timer>> timers;
  for (int i = 0; i < state.range(0); ++i) {
    timers.push_back(std::make_unique<detail::Timer>(rearm));
    timers.back()->arm(now + 10s * i / state.range(0));
  }
  for ([[maybe_unused]] auto _ : state) {
    now += 100us;
    loop.timers().advance(now);
    benchmark::DoNotOptimize(loop.timers().next_deadline());
  }
}
BENCHMARK(timer_advance)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace sluice
