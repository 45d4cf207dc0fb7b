// SPDX-License-Identifier: MIT
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/result.hpp>
#include <sluice/task.hpp>
#include <sluice/time.hpp>

#include "tests/coro/live_count.hpp"
#include "tests/coro/test_loop.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using testing::Counted;
using testing::TestLoop;

Task<int> seven() {
  co_return 7;
}
Task<int> fails(std::string text) {
  throw std::runtime_error(text);
  co_return 0;
}

TEST(TaskTest, GivesItsValue) {
  TestLoop loop;
  EXPECT_EQ(loop.run(seven()), 7);
}

TEST(TaskTest, IsLazy) {
  TestLoop loop;
  bool ran = false;
  auto body = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  { Task<void> never = body(ran); }
  EXPECT_FALSE(ran);
  loop.run(body(ran));
  EXPECT_TRUE(ran);
}

TEST(TaskTest, GivesMoveOnlyValuesAndErrorsInResults) {
  TestLoop loop;
  auto pointer = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  EXPECT_EQ(*loop.run(pointer()), 3);
  auto failing = []() -> Task<Result<int>> { co_return Error(ErrorKind::read_error, Phase::body, "x"); };
  EXPECT_EQ(loop.run(failing()).error().kind(), ErrorKind::read_error);
  auto braces = []() -> Task<std::optional<int>> { co_return {}; };
  EXPECT_FALSE(loop.run(braces()));
}

TEST(TaskTest, ExceptionsPassThroughEveryFrame) {
  TestLoop loop;
  auto middle = []() -> Task<int> { co_return co_await fails("deep"); };
  auto outer = [&]() -> Task<std::string> {
    try {
      co_await middle();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(loop.run(outer()), "deep");
  EXPECT_THROW(loop.run(middle()), std::runtime_error);
}

TEST(TaskTest, MovingKeepsTheFrameAndAssigningCancels) {
  Counted::live = 0;
  TestLoop loop;
  auto body = [](Counted) -> Task<int> { co_return 1; };
  Task<int> task = body(Counted());
  EXPECT_EQ(Counted::live, 1);
  Task<int> other = std::move(task);
  EXPECT_FALSE(task);  // NOLINT(bugprone-use-after-move): empty by contract
  other = body(Counted());
  EXPECT_EQ(Counted::live, 1);
  EXPECT_EQ(loop.run(std::move(other)), 1);
  EXPECT_EQ(Counted::live, 0);
}

/// Not the address of a local: AddressSanitizer keeps locals elsewhere.
Task<std::uintptr_t> stack_pointer() { co_return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)); }

TEST(TaskTest, AMillionAwaitsLeaveTheStackFlat) {
  TestLoop loop;
  auto many = []() -> Task<std::uintptr_t> {
    std::uintptr_t first = co_await stack_pointer();
    std::uintptr_t last = first;
    for (int i = 0; i < 1'000'000; ++i) last = co_await stack_pointer();
    co_return first > last ? first - last : last - first;
  };
  EXPECT_LT(loop.run(many()), 1024U);
}

TEST(TaskTest, OthersRunOnlyAtAnAwait) {
  TestLoop loop;
  std::vector<int> order;
  auto worker = [&order](int id) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      order.push_back(id);
      co_await yield();
    }
  };
  Task<void> one = worker(1), two = worker(2);
  detail::ReadyNode nobody([](detail::ReadyNode&) {});
  one.start(nobody);
  two.start(nobody);
  loop.run_all();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 1, 2, 1, 2}));
}

TEST(TaskTest, DestroyingASleepingTaskUnlinksItsTimer) {
  Counted::live = 0;
  TestLoop loop;
  auto sleeper = [](Counted) -> Task<void> { co_await sleep_for(1h); };
  auto parent = [&]() -> Task<void> { co_await sleeper(Counted()); };
  EXPECT_TRUE(loop.cancel_after(1, parent()));
  EXPECT_TRUE(loop.timers().empty());
  EXPECT_EQ(Counted::live, 0);
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(TaskTest, DestroyingAReadyTaskUnlinksItFromTheReadyList) {
  TestLoop loop;
  bool resumed = false;
  auto body = [&]() -> Task<void> {
    co_await yield();
    resumed = true;
  };
  Task<void> task = body();
  detail::ReadyNode nobody([](detail::ReadyNode&) {});
  task.start(nobody);
  loop.step();
  EXPECT_FALSE(loop.ready().empty());
  task.reset();
  EXPECT_TRUE(loop.ready().empty());
  EXPECT_FALSE(resumed);
}

TEST(TaskTest, FramesAreDestroyedInnermostFirst) {
  TestLoop loop;
  std::vector<int> order;
  struct Note {
    Note(std::vector<int>& log, int number) : order(&log), id(number) {}
    Note(const Note&) = delete;
    ~Note() { order->push_back(id); }
    std::vector<int>* order;
    int id;
  };
  auto inner = [&]() -> Task<void> {
    Note note(order, 3);
    co_await sleep_for(1s);
  };
  auto middle = [&]() -> Task<void> {
    Note note(order, 2);
    co_await inner();
  };
  auto outer = [&]() -> Task<void> {
    Note note(order, 1);
    co_await middle();
  };
  EXPECT_TRUE(loop.cancel_after(1, outer()));
  EXPECT_EQ(order, (std::vector<int>{3, 2, 1}));
}

// ---- time

TEST(TimeTest, SleepWakesInOrderAndNotEarly) {
  TestLoop loop;
  auto body = [&]() -> Task<void> {
    TimePoint start = loop.now();
    co_await sleep_for(250ms);
    EXPECT_GE(loop.now(), start + 250ms);
    EXPECT_LT(loop.now(), start + 251ms);
    co_await sleep_until(start + 1h);
    EXPECT_GE(loop.now(), start + 1h);
  };
  loop.run(body());
}

TEST(TimeTest, SleepThatIsOverLetsOthersRun) {
  TestLoop loop;
  auto body = [&]() -> Task<void> {
    co_await sleep_for(0s);
    co_await sleep_for(-5s);
    co_await sleep_until(TimePoint());
  };
  loop.run(body());
  EXPECT_LT(loop.elapsed(), 1ms);
}

TEST(TimeTest, LongestSleepDoesNotOverflow) {
  TestLoop loop;
  auto forever = []() -> Task<void> { co_await sleep_for(Duration::max()); };
  EXPECT_TRUE(loop.cancel_after(1, forever()));
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(TestLoopTest, FindsDeadlocks) {
  TestLoop loop;
  detail::WaitPoint point;
  auto stuck = [&]() -> Task<void> { co_await point.wait(); };
  try {
    loop.run(stuck());
    FAIL();
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "would have deadlocked");
  }
  EXPECT_FALSE(point.has_waiter());
}

// ---- wait points

TEST(WaitPointTest, NotifyResumesFromTheLoop) {
  TestLoop loop;
  detail::WaitPoint point;
  bool resumed = false;
  auto waiter = [&]() -> Task<void> {
    co_await point.wait();
    resumed = true;
  };
  Task<void> task = waiter();
  detail::ReadyNode nobody([](detail::ReadyNode&) {});
  task.start(nobody);
  loop.run_all();
  EXPECT_TRUE(point.has_waiter());
  point.notify();
  EXPECT_FALSE(resumed);
  EXPECT_FALSE(point.has_waiter());
  loop.run_all();
  EXPECT_TRUE(resumed);
  point.notify();  // nobody waits: nothing happens
}

TEST(WaitPointTest, PlaceMayGoBeforeItsWaiter) {
  TestLoop loop;
  for (bool notified : {false, true}) {
    auto point = std::make_unique<detail::WaitPoint>();
    auto waiter = [&]() -> Task<void> { co_await point->wait(); };
    Task<void> task = waiter();
    detail::ReadyNode nobody([](detail::ReadyNode&) {});
    task.start(nobody);
    loop.run_all();
    if (notified) point->notify();
    point.reset();
    task.reset();
    EXPECT_TRUE(loop.ready().empty());
  }
}

TEST(ReadyListTest, PushFrontGoesBeforeAllOthersEvenWhenQueued) {
  TestLoop loop;
  static std::vector<int> order;
  order.clear();
  detail::ReadyNode one([](detail::ReadyNode&) { order.push_back(1); });
  detail::ReadyNode two([](detail::ReadyNode&) { order.push_back(2); });
  loop.ready().push_back(one);
  loop.ready().push_back(two);
  loop.ready().push_back(one);  // stays where it is
  loop.ready().push_front(two);
  loop.run_all();
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
}

TEST(ReadyListTest, CoroutinesOutsideOfAShardAbort) {
  auto body = []() -> Task<void> { co_await yield(); };
  EXPECT_DEATH(
      {
        Task<void> task = body();
        detail::ReadyNode nobody([](detail::ReadyNode&) {});
        task.start(nobody);
      },
      "outside of a shard");
}

}  // namespace
}  // namespace sluice
