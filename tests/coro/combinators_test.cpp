// SPDX-License-Identifier: MIT
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>
#include <sluice/generator.hpp>
#include <sluice/scope.hpp>
#include <sluice/time.hpp>

#include "tests/coro/live_count.hpp"
#include "tests/coro/test_loop.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using testing::Counted;
using testing::TestLoop;

template <class T>
Task<T> after(Duration delay, T value) {
  co_await sleep_for(delay);
  co_return value;
}
Task<void> pause(Duration delay) {
  co_await sleep_for(delay);
}
Task<int> fail_after(Duration delay, std::string text) {
  co_await sleep_for(delay);
  throw std::runtime_error(text);
}
Task<void> never() {
  co_await sleep_for(Duration::max());
}

/// The text of what the task throws.
template <class T>
std::string failure(TestLoop& loop, Task<T> task) {
  try {
    loop.run(std::move(task));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

/// Awaitable as a request builder is: movable, awaited as an rvalue.
class Builder {
 public:
  explicit Builder(std::string text) : text_(std::move(text)) {}
  Builder&& add(std::string_view more) && {
    text_ += more;
    return std::move(*this);
  }
  Task<std::string>::Awaiter operator co_await() && {
    task_ = after(1ms, std::move(text_));
    return std::move(task_).operator co_await();
  }

 private:
  std::string text_;
  Task<std::string> task_;
};

static_assert(std::is_same_v<AwaitResult<Task<int>>, int>);
static_assert(std::is_same_v<AwaitResult<Builder>, std::string>);
static_assert(std::is_void_v<AwaitResult<detail::Sleep>>);
static_assert(Awaitable<Task<void>> && Awaitable<Builder> && Awaitable<detail::Sleep>);
static_assert(!Awaitable<int> && !Awaitable<Task<int>&> && !Awaitable<std::vector<Task<int>>>);

// ---- when_all

TEST(WhenAllTest, GivesAllResultsOfWhatRunsAtOnce) {
  TestLoop loop;
  auto [number, nothing, text] =
      loop.run(when_all(after(1s, 5), pause(3s), Builder("a long text that ").add("needs memory")));
  EXPECT_EQ(number, 5);
  EXPECT_EQ(nothing, std::monostate());
  EXPECT_EQ(text, "a long text that needs memory");
  EXPECT_LT(loop.elapsed(), 3001ms);
}

TEST(WhenAllTest, TakesPlainAwaitablesAndNothing) {
  TestLoop loop;
  loop.run(when_all(sleep_for(1s), yield()));
  EXPECT_GE(loop.elapsed(), 1s);
  EXPECT_EQ(loop.run(when_all()), std::tuple<>());
}

TEST(WhenAllTest, FirstFailureCancelsTheOthers) {
  TestLoop loop;
  EXPECT_EQ(failure(loop, when_all(never(), fail_after(2s, "second"), fail_after(1s, "first"))), "first");
  EXPECT_LT(loop.elapsed(), 1001ms);
  EXPECT_TRUE(loop.idle());
}

TEST(WhenAllTest, FirstOfTwoFailuresInOneTurnWins) {
  TestLoop loop;
  EXPECT_EQ(failure(loop, when_all(fail_after(1s, "left"), fail_after(1s, "right"))), "left");
  EXPECT_TRUE(loop.idle());
}

TEST(WhenAllTest, SiblingsAreGoneBeforeTheCallerGoesOn) {
  Counted::live = 0;
  TestLoop loop;
  auto held = [](Counted) -> Task<void> { co_await never(); };
  auto body = [&]() -> Task<void> {
    auto all = when_all(held(Counted()), fail_after(1s, "x"));
    bool thrown = false;
    try {
      co_await std::move(all);
    } catch (const std::runtime_error&) {
      thrown = true;
      EXPECT_EQ(Counted::live, 0);  // although `all` still exists
    }
    EXPECT_TRUE(thrown);
  };
  loop.run(body());
}

TEST(WhenAllTest, VectorKeepsTheOrder) {
  TestLoop loop;
  std::vector<Task<std::unique_ptr<int>>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(after((100 - i) * 1s, std::make_unique<int>(i)));
  std::vector<std::unique_ptr<int>> values = loop.run(when_all(std::move(tasks)));
  ASSERT_EQ(values.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*values[static_cast<std::size_t>(i)], i);
}

TEST(WhenAllTest, VectorsOfNothingAndOfVoid) {
  TestLoop loop;
  EXPECT_TRUE(loop.run(when_all(std::vector<Task<int>>())).empty());
  std::vector<Task<void>> pauses;
  for (int i = 0; i < 10; ++i) pauses.push_back(pause(i * 1s));
  static_assert(std::is_same_v<decltype(when_all(std::move(pauses))), Task<void>>);
  loop.run(when_all(std::move(pauses)));
  EXPECT_GE(loop.elapsed(), 9s);
}

TEST(WhenAllTest, VectorFailureCancelsTheOthers) {
  TestLoop loop;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(i == 7 ? fail_after(1s, "seven") : after(1h, 1));
  EXPECT_EQ(failure(loop, when_all(std::move(tasks))), "seven");
  EXPECT_LT(loop.elapsed(), 2s);
  EXPECT_TRUE(loop.idle());
}

// ---- when_any

TEST(WhenAnyTest, IndexTellsTheWinner) {
  TestLoop loop;
  auto winner = loop.run(when_any(after(3s, 1), after(1s, 2), never()));
  EXPECT_EQ(winner.index(), 1U);
  EXPECT_EQ(std::get<1>(winner), 2);
  EXPECT_LT(loop.elapsed(), 1001ms);
  EXPECT_TRUE(loop.idle());
  EXPECT_EQ(loop.run(when_any(sleep_for(2s), sleep_for(1s))).index(), 1U);
}

TEST(WhenAnyTest, LosersAreGoneBeforeTheCallerGoesOn) {
  Counted::live = 0;
  TestLoop loop;
  auto held = [](Counted) -> Task<void> { co_await never(); };
  auto body = [&]() -> Task<void> {
    auto any = when_any(held(Counted()), after(1s, 1), held(Counted()));
    auto winner = co_await std::move(any);
    EXPECT_EQ(winner.index(), 1U);
    EXPECT_EQ(Counted::live, 0);
  };
  loop.run(body());
}

TEST(WhenAnyTest, WinnersExceptionIsThrown) {
  TestLoop loop;
  EXPECT_EQ(failure(loop, when_any(after(2s, 1), fail_after(1s, "quick"))), "quick");
  EXPECT_EQ(loop.run(when_any(after(1s, 1), fail_after(2s, "late"))).index(), 0U);
  EXPECT_TRUE(loop.idle());
}

TEST(WhenAnyTest, SameTurnGoesToTheFirst) {
  TestLoop loop;
  EXPECT_EQ(loop.run(when_any(after(1s, 1), after(1s, 2))).index(), 0U);
  EXPECT_EQ(loop.run(when_any(after(1s, 1), fail_after(1s, "same turn"))).index(), 0U);
}

// ---- with_timeout

TEST(WithTimeoutTest, GivesTheResultInTime) {
  TestLoop loop;
  EXPECT_EQ(loop.run(with_timeout(2s, after(1s, 5))), 5);
  loop.run(with_timeout(2s, sleep_for(1s)));
  EXPECT_EQ(loop.run(with_timeout(2s, Builder("x"))), "x");
  EXPECT_EQ(failure(loop, with_timeout(2s, fail_after(1s, "own"))), "own");
  EXPECT_TRUE(loop.idle());
}

TEST(WithTimeoutTest, ThrowsDeadlineExceededAndCancels) {
  TestLoop loop;
  EXPECT_THROW(loop.run(with_timeout(1s, never())), DeadlineExceeded);
  EXPECT_TRUE(loop.idle());
  EXPECT_GE(loop.elapsed(), 1s);
  EXPECT_LT(loop.elapsed(), 1001ms);
  EXPECT_EQ(failure(loop, with_timeout(1500ms, never())), "DeadlineExceeded: not done within 1500 ms");
}

TEST(WithTimeoutTest, ResultsCarryTheError) {
  TestLoop loop;
  auto late = []() -> Task<Result<int>> {
    co_await never();
    co_return 1;
  };
  auto nothing = []() -> Task<Result<void>> {
    co_await never();
    co_return Result<void>();
  };
  EXPECT_EQ(loop.run(with_timeout(1s, late())).error().kind(), ErrorKind::deadline_exceeded);
  EXPECT_EQ(loop.run(with_timeout(1s, nothing())).error().kind(), ErrorKind::deadline_exceeded);
}

TEST(WithTimeoutTest, ATieGoesToTheLimit) {
  TestLoop loop;
  EXPECT_THROW(loop.run(with_timeout(1s, after(1s, 5))), DeadlineExceeded);
}

TEST(WithTimeoutTest, NestedTheShorterOneEnds) {
  TestLoop loop;
  EXPECT_EQ(failure(loop, with_timeout(1s, with_timeout(2s, never()))),
            "DeadlineExceeded: not done within 1000 ms");
  EXPECT_EQ(failure(loop, with_timeout(2s, with_timeout(1s, never()))),
            "DeadlineExceeded: not done within 1000 ms");
  EXPECT_LT(loop.elapsed(), 2001ms);
  auto recovers = []() -> Task<int> {
    bool timed_out = false;
    try {
      co_await with_timeout(1s, never());
    } catch (const DeadlineExceeded&) {
      timed_out = true;
    }
    if (timed_out) co_await sleep_for(500ms);
    co_return 1;
  };
  EXPECT_EQ(loop.run(with_timeout(2s, recovers())), 1);
  EXPECT_THROW(loop.run(with_timeout(1200ms, recovers())), DeadlineExceeded);
  EXPECT_TRUE(loop.idle());
}

TEST(WithTimeoutTest, ZeroGivesTheTaskOneTurn) {
  TestLoop loop;
  auto at_once = []() -> Task<int> { co_return 1; };
  EXPECT_EQ(loop.run(with_timeout(0s, at_once())), 1);
  EXPECT_THROW(loop.run(with_timeout(-1s, never())), DeadlineExceeded);
  EXPECT_EQ(loop.run(with_timeout(Duration::max(), at_once())), 1);
}

TEST(WithTimeoutTest, CancellationCannotBeSwallowed) {
  TestLoop loop;
  int caught = 0;
  auto stubborn = [&]() -> Task<void> {
    for (;;) {
      try {
        co_await never();
      } catch (...) {
        ++caught;
      }
    }
  };
  EXPECT_THROW(loop.run(with_timeout(1s, stubborn())), DeadlineExceeded);
  EXPECT_EQ(caught, 0);
}

// ---- everything, cancelled everywhere

Task<int> leaf(Duration delay, Counted) {
  Counted local;
  co_await sleep_for(delay);
  Counted later;
  co_await yield();
  co_return 1;
}

Task<int> failing_leaf(Duration delay, Counted counted) {
  co_await leaf(delay, counted);
  throw std::runtime_error("leaf");
}

Generator<int> numbers(Counted) {
  for (int i = 0; i < 3; ++i) {
    Counted local;
    co_await sleep_for(100ms);
    co_yield i;
  }
}

Task<void> tree() {
  Counted here;
  auto inner_scope = [&](Scope& scope) -> Task<void> {
    Counted local;
    for (int i = 0; i < 3; ++i) scope.spawn(leaf, i * 1s, Counted());
    scope.spawn(with_timeout(1500ms, leaf(1h, Counted())));
    co_await leaf(1s, Counted());
  };
  auto consume = [](Generator<int> source) -> Task<void> {
    while (auto number = co_await source.next()) co_await leaf(10ms, Counted());
  };
  auto attempt = [&]() -> Task<void> {
    bool failed = false;
    try {
      co_await scope(inner_scope);
    } catch (const DeadlineExceeded&) {
      failed = true;
    }
    if (failed) co_await leaf(1s, Counted());
  };
  auto recover = []() -> Task<void> {
    bool failed = false;
    try {
      co_await when_all(leaf(1h, Counted()), failing_leaf(1s, Counted()));
    } catch (const std::runtime_error&) {
      failed = true;
    }
    if (failed) co_await when_any(leaf(1s, Counted()), leaf(1s, Counted()), leaf(2s, Counted()));
  };
  std::vector<Task<int>> many;
  for (int i = 0; i < 3; ++i) many.push_back(leaf(i * 1s, Counted()));
  co_await with_timeout(1h,
                        when_all(attempt(), recover(), consume(numbers(Counted())), when_all(std::move(many)),
                                 when_any(leaf(1h, Counted()), leaf(1s, Counted()))));
}

TEST(CancellationTest, EverySuspensionPointOfATree) {
  Counted::live = 0;
  Counted::misplaced = 0;
  TestLoop loop;
  std::size_t steps = 0;
  while (loop.cancel_after(steps, tree())) {
    ASSERT_EQ(Counted::live, 0) << "cancelled after " << steps << " steps";
    ASSERT_TRUE(loop.idle()) << "cancelled after " << steps << " steps";
    ++steps;
  }
  EXPECT_GT(steps, 100U);
  EXPECT_EQ(Counted::live, 0);
  EXPECT_EQ(Counted::misplaced, 0);
  EXPECT_TRUE(loop.idle());
}

TEST(CancellationTest, ByATimeoutAtEveryMoment) {
  Counted::live = 0;
  TestLoop loop;
  bool timed_out = true;
  for (Duration limit = 0s; timed_out; limit += 37ms) {
    timed_out = false;
    auto body = [&]() -> Task<void> {
      try {
        co_await with_timeout(limit, tree());
      } catch (const DeadlineExceeded&) {
        timed_out = true;
      }
      EXPECT_EQ(Counted::live, 0);
    };
    loop.run(body());
    ASSERT_TRUE(loop.idle());
  }
  EXPECT_EQ(Counted::misplaced, 0);
}

}  // namespace
}  // namespace sluice
