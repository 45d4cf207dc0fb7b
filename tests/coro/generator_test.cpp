// SPDX-License-Identifier: MIT
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
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

Generator<int> count_to(int limit) {
  for (int i = 1; i <= limit; ++i) co_yield i;
}

Generator<std::string> slowly(int limit, Duration pause) {
  for (int i = 1; i <= limit; ++i) {
    co_await sleep_for(pause);
    co_yield "number " + std::to_string(i) + ", long enough to be allocated";
  }
}

Task<std::int64_t> sum(Generator<int> numbers) {
  std::int64_t total = 0;
  while (auto number = co_await numbers.next()) total += *number;
  co_return total;
}

TEST(GeneratorTest, GivesAllValuesAndThenTheEnd) {
  TestLoop loop;
  EXPECT_EQ(loop.run(sum(count_to(100))), 5050);
  EXPECT_EQ(loop.run(sum(count_to(0))), 0);
  EXPECT_EQ(loop.run(sum(Generator<int>())), 0);
}

TEST(GeneratorTest, EndIsGivenAgainAndAgain) {
  TestLoop loop;
  auto body = []() -> Task<void> {
    Generator<int> one = count_to(1);
    EXPECT_TRUE(co_await one.next());
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(co_await one.next());
  };
  loop.run(body());
}

TEST(GeneratorTest, BodyMayAwait) {
  TestLoop loop;
  auto body = []() -> Task<std::string> {
    Generator<std::string> words = slowly(3, 1s);
    std::string last;
    while (auto word = co_await words.next()) last = std::move(*word);
    co_return last;
  };
  EXPECT_EQ(loop.run(body()), "number 3, long enough to be allocated");
  EXPECT_GE(loop.elapsed(), 3s);
}

TEST(GeneratorTest, RunsOnlyWhenAsked) {
  TestLoop loop;
  int made = 0;
  auto counting = [&]() -> Generator<int> {
    for (;;) co_yield ++made;
  };
  auto body = [&]() -> Task<void> {
    auto numbers = counting();
    co_await sleep_for(1s);
    EXPECT_EQ(made, 0);
    co_await numbers.next();
    co_await sleep_for(1s);
    EXPECT_EQ(made, 1);
  };
  loop.run(body());
}

TEST(GeneratorTest, ExceptionComesOutOnceThenTheEnd) {
  TestLoop loop;
  auto failing = []() -> Generator<int> {
    co_yield 1;
    throw std::runtime_error("broken");
  };
  auto body = [&]() -> Task<void> {
    auto numbers = failing();
    EXPECT_EQ(co_await numbers.next(), 1);
    bool thrown = false;
    try {
      co_await numbers.next();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_FALSE(co_await numbers.next());
  };
  loop.run(body());
}

TEST(GeneratorTest, DestroyingItEarlyCancelsTheBodyWhereItIs) {
  Counted::live = 0;
  TestLoop loop;
  auto holding = [](Counted) -> Generator<std::unique_ptr<Counted>> {
    for (;;) {
      Counted local;
      co_yield std::make_unique<Counted>();
      co_await sleep_for(1s);
    }
  };
  auto body = [&]() -> Task<void> {
    auto objects = holding(Counted());
    co_await objects.next();
    co_await objects.next();
  };
  loop.run(body());
  EXPECT_EQ(Counted::live, 0);
  for (std::size_t step = 0; loop.cancel_after(step, body()); ++step) EXPECT_EQ(Counted::live, 0) << step;
  EXPECT_TRUE(loop.timers().empty());
}

TEST(GeneratorTest, CancelledConsumerLosesNoValue) {
  TestLoop loop;
  auto body = []() -> Task<void> {
    Generator<std::string> words = slowly(2, 1s);
    for (int i = 0; i < 3; ++i) {  // gives up three times while the body sleeps
      bool timed_out = false;
      try {
        co_await with_timeout(100ms, words.next());
      } catch (const DeadlineExceeded&) {
        timed_out = true;
      }
      EXPECT_TRUE(timed_out);
    }
    EXPECT_EQ((co_await words.next())->front(), 'n');
    EXPECT_TRUE(co_await words.next());
    EXPECT_FALSE(co_await words.next());
  };
  loop.run(body());
  EXPECT_LT(loop.elapsed(), 2100ms);
}

TEST(GeneratorTest, ValueOfAConsumerCancelledWhileReadyIsKept) {
  TestLoop loop;
  Generator<int> numbers = count_to(3);
  auto take = [&]() -> Task<std::optional<int>> { co_return co_await numbers.next(); };
  for (std::size_t step = 0; step < 2; ++step) EXPECT_TRUE(loop.cancel_after(step, take()));
  EXPECT_EQ(loop.run(take()), 1);  // made for the consumer that was cancelled after one step
  EXPECT_EQ(loop.run(take()), 2);
}

TEST(GeneratorTest, TemporaryGeneratorLivesThroughItsAwait) {
  TestLoop loop;
  auto body = []() -> Task<int> { co_return *co_await count_to(5).next(); };
  EXPECT_EQ(loop.run(body()), 1);
}

TEST(GeneratorTest, GeneratorsNest) {
  TestLoop loop;
  auto doubled = [](Generator<int> source) -> Generator<int> {
    while (auto number = co_await source.next()) co_yield *number * 2;
  };
  EXPECT_EQ(loop.run(sum(doubled(doubled(count_to(10))))), 220);
}

TEST(GeneratorTest, AMillionValuesLeaveTheStackFlat) {
  TestLoop loop;
  EXPECT_EQ(loop.run(sum(count_to(1'000'000))), 500'000'500'000);
}

}  // namespace
}  // namespace sluice
