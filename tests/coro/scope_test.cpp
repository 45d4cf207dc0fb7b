// SPDX-License-Identifier: MIT
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

#include <sluice/combinators.hpp>
#include <sluice/scope.hpp>
#include <sluice/time.hpp>

#include "tests/coro/live_count.hpp"
#include "tests/coro/test_loop.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using testing::Counted;
using testing::TestLoop;

Task<void> append(std::string text, std::vector<std::string>& out, Duration delay) {
  co_await sleep_for(delay);
  out.push_back(text);
}
Task<void> never(Counted) {
  co_await sleep_for(Duration::max());
}
Task<int> fail_after(Duration delay, std::string text) {
  co_await sleep_for(delay);
  throw std::runtime_error(text);
}

template <class T>
std::string failure(TestLoop& loop, Task<T> task) {
  try {
    loop.run(std::move(task));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

TEST(ScopeTest, JoinsAllChildren) {
  TestLoop loop;
  std::vector<std::string> out;
  auto body = [&]() -> Task<void> {
    co_await scope([&](Scope& scope) -> Task<void> {
      for (int i = 3; i > 0; --i) scope.spawn(append, "/item/" + std::to_string(i), std::ref(out), i * 1s);
      EXPECT_EQ(scope.size(), 3U);
      EXPECT_TRUE(out.empty());
      co_return;
    });
    EXPECT_EQ(out, (std::vector<std::string>{"/item/1", "/item/2", "/item/3"}));
  };
  loop.run(body());
  EXPECT_GE(loop.elapsed(), 3s);
}

TEST(ScopeTest, EmptyScopeEnds) {
  TestLoop loop;
  auto nothing = [](Scope&) -> Task<void> { co_return; };
  loop.run(scope(nothing));
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, SpawnTakesTasksAwaitablesAndCallables) {
  TestLoop loop;
  int sum = 0;
  auto body = [&](Scope& scope) -> Task<void> {
    auto add = [](int& to, int what) -> Task<void> {
      to += what;
      co_return;
    };
    scope.spawn(add(sum, 1));
    scope.spawn(sleep_for(5s));
    scope.spawn(add, std::ref(sum), 10);
    std::string text = "a capture that needs memory, and more of it";
    scope.spawn([text, &sum]() -> Task<std::string> {  // the closure lives as long as the child
      co_await sleep_for(1s);
      sum += static_cast<int>(text.size());
      co_return text;
    });
    co_return;
  };
  loop.run(scope(body));
  EXPECT_EQ(sum, 1 + 10 + 43);
  EXPECT_GE(loop.elapsed(), 5s);
}

TEST(ScopeTest, ArgumentsOutliveReferenceParameters) {
  TestLoop loop;
  std::string seen;
  auto reads = [&](const std::string& text, std::unique_ptr<int>&& number) -> Task<void> {
    co_await sleep_for(1s);
    seen = text + std::to_string(*number);
  };
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(reads, std::string("a temporary that needs memory, and more of it "),
                std::make_unique<int>(7));
    co_return;
  };
  loop.run(scope(body));
  EXPECT_EQ(seen, "a temporary that needs memory, and more of it 7");
}

TEST(ScopeTest, ChildFailureCancelsTheRestAndIsRethrown) {
  Counted::live = 0;
  TestLoop loop;
  auto body = [&](Scope& scope) -> Task<void> {
    for (int i = 0; i < 5; ++i) scope.spawn(never, Counted());
    scope.spawn(fail_after, 2s, "second");
    scope.spawn(fail_after, 1s, "first");
    co_await never(Counted());
  };
  EXPECT_EQ(failure(loop, scope(body)), "first");
  EXPECT_LT(loop.elapsed(), 2s);
  EXPECT_EQ(Counted::live, 0);
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, BodyFailureCancelsTheChildrenAndIsRethrown) {
  Counted::live = 0;
  TestLoop loop;
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(never, Counted());
    co_await sleep_for(1s);
    throw std::runtime_error("body");
  };
  EXPECT_EQ(failure(loop, scope(body)), "body");
  EXPECT_EQ(Counted::live, 0);
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, BodyThatThrowsBeforeItIsACoroutine) {
  TestLoop loop;
  auto body = [](Scope& scope) -> Task<void> {
    scope.spawn(sleep_for(1h));
    throw std::runtime_error("at once");
  };
  EXPECT_EQ(failure(loop, scope(body)), "at once");
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, SpawnThatThrowsLeavesNothing) {
  Counted::live = 0;
  TestLoop loop;
  auto refuses = [](const Counted&) -> Task<void> { throw std::runtime_error("no task"); };
  auto body = [&](Scope& scope) -> Task<void> {
    EXPECT_THROW(scope.spawn(refuses, Counted()), std::runtime_error);
    EXPECT_EQ(scope.size(), 0U);
    co_return;
  };
  loop.run(scope(body));
  EXPECT_EQ(Counted::live, 0);
}

TEST(ScopeTest, CancelSparesTheBody) {
  Counted::live = 0;
  TestLoop loop;
  bool finished = false;
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(never, Counted());
    scope.spawn(never, Counted());
    co_await sleep_for(1s);
    scope.cancel();
    EXPECT_EQ(scope.size(), 2U);  // not yet
    co_await yield();
    EXPECT_EQ(scope.size(), 0U);
    EXPECT_EQ(Counted::live, 0);
    scope.spawn(sleep_for(1s));
    co_await sleep_for(500ms);
    finished = true;
  };
  loop.run(scope(body));
  EXPECT_TRUE(finished);
  EXPECT_GE(loop.elapsed(), 2s);
}

TEST(ScopeTest, AChildMayCancelItAndRunsOnUntilItSuspends) {
  TestLoop loop;
  std::vector<std::string> log;
  auto canceller = [&](Scope& scope) -> Task<void> {
    co_await sleep_for(1s);
    scope.cancel();
    scope.cancel();
    log.push_back("after cancel");
    co_await yield();
    log.push_back("resumed");
  };
  auto sibling = [&]() -> Task<void> {
    co_await sleep_for(1s);
    log.push_back("sibling");  // ready in the same turn, but behind the canceller
  };
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(canceller, std::ref(scope));
    scope.spawn(sibling);
    co_return;
  };
  loop.run(scope(body));
  EXPECT_EQ(log, std::vector<std::string>{"after cancel"});
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, AChildThatCancelsAndThenFailsHasFailed) {
  TestLoop loop;
  auto child = [](Scope& scope) -> Task<void> {
    scope.cancel();
    throw std::runtime_error("last words");
    co_return;
  };
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(child, std::ref(scope));
    co_return;
  };
  EXPECT_EQ(failure(loop, scope(body)), "last words");
}

TEST(ScopeTest, AGuardOfTheBodyMayCancelInItsDestructor) {
  Counted::live = 0;
  TestLoop loop;
  struct Guard {
    explicit Guard(Scope& owner) : scope(&owner) {}
    Guard(const Guard&) = delete;
    ~Guard() {
      scope->cancel();
      scope->spawn(never, Counted());
    }
    Scope* scope;
  };
  auto body = [](Scope& scope) -> Task<void> {
    Guard guard(scope);
    scope.spawn(never, Counted());
    co_await sleep_for(1s);
  };
  loop.run(scope(body));
  for (std::size_t steps = 0; loop.cancel_after(steps, scope(body)); ++steps) {
    EXPECT_TRUE(loop.idle()) << steps;
    EXPECT_EQ(Counted::live, 0) << steps;
  }
}

Task<void> breed(Scope& scope, int generations, int& born) {
  ++born;
  co_await yield();
  if (generations == 0) co_return;
  scope.spawn(breed, std::ref(scope), generations - 1, std::ref(born));
  scope.spawn(breed, std::ref(scope), generations - 1, std::ref(born));
}

TEST(ScopeTest, ChildrenMaySpawnSiblings) {
  TestLoop loop;
  int born = 0;
  auto body = [&](Scope& scope) -> Task<void> {
    scope.spawn(breed, std::ref(scope), 9, std::ref(born));
    co_return;
  };
  loop.run(scope(body));
  EXPECT_EQ(born, 1023);
}

TEST(ScopeTest, NestedScopesFailTogether) {
  Counted::live = 0;
  TestLoop loop;
  auto inner = [](Scope& scope) -> Task<void> {
    scope.spawn(never, Counted());
    scope.spawn(fail_after, 1s, "inner");
    co_return;
  };
  auto outer = [&](Scope& outer_scope) -> Task<void> {
    outer_scope.spawn(never, Counted());
    outer_scope.spawn(scope(inner));
    co_return;
  };
  EXPECT_EQ(failure(loop, scope(outer)), "inner");
  EXPECT_EQ(Counted::live, 0);
  EXPECT_TRUE(loop.idle());
}

TEST(ScopeTest, EndedChildrenAreFreedWhileTheScopeLives) {
  TestLoop loop;
  std::size_t most_memory = 0;
  auto child = [](std::size_t i) -> Task<std::size_t> {
    co_await yield();
    co_return i;
  };
  auto body = [&](Scope& scope) -> Task<void> {
    std::size_t before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < 200'000; ++i) {
      scope.spawn(child, i);
      while (scope.size() >= 8) co_await yield();
    }
    most_memory = mallinfo2().uordblks - before;
  };
  loop.run(scope(body));
  EXPECT_LT(most_memory, 64U * 1024);
}

}  // namespace
}  // namespace sluice
