// SPDX-License-Identifier: MIT
#include "engine/ring/loop.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice::ring {
namespace {

using namespace testing;

/// Waits in the loop until another thread posts after a while in which nothing happens.
std::uint64_t enters_of_an_idle_wait(Shard& shard) {
  std::uint64_t before = shard.stats().ring_enters;
  detail::WaitPoint point;
  std::thread other;
  auto wait = [&]() -> Task<void> {
    other = std::thread([&] {
      std::this_thread::sleep_for(100ms);  // the time in which an idle shard must do nothing
      shard.post([&] { point.notify(); });
    });
    co_await point.wait();
  };
  shard.block_on(wait());
  other.join();
  return shard.stats().ring_enters - before;
}

class LoopTest : public ShardTest, public ::testing::WithParamInterface<int> {
 protected:
  LoopTest() { set_up_shard({.batch_wait = std::chrono::microseconds(GetParam())}); }
};

TEST_P(LoopTest, GivesValuesAndThrowsExceptions) {
  auto seven = []() -> Task<int> { co_return 7; };
  auto nothing = []() -> Task<void> { co_return; };
  auto failure = []() -> Task<std::string> {
    throw std::runtime_error("thrown");
    co_return "";
  };
  EXPECT_EQ(run(seven()), 7);
  run(nothing());
  EXPECT_THROW(run(failure()), std::runtime_error);
  EXPECT_EQ(run(seven()), 7);
}

TEST_P(LoopTest, IdleShardSleeps) {
  EXPECT_LT(enters_of_an_idle_wait(shard()), 10U);
}

TEST_P(LoopTest, IdleShardSleepsWithReceiversThatWait) {
  Peer silent(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  run([&]() -> Task<void> {
    std::vector<std::unique_ptr<Background<Result<Response>>>> requests;
    for (int i = 0; i < 40; ++i)
      requests.push_back(
          std::make_unique<Background<Result<Response>>>(client.get(silent.url()).as_result()));
    co_await sleep_for(30ms);
    std::uint64_t before = shard().stats().ring_enters;
    co_await sleep_for(100ms);
    EXPECT_LT(shard().stats().ring_enters - before, 20U);
  });
}

TEST_P(LoopTest, OneReplyOfManyIsNotHeldBack) {
  // Forty requests wait and only one is answered: the batch that the shard would like never comes together.
  Peer peer([](PeerConnection& connection) {
    auto request = connection.read_request();
    if (request && request->line() == "GET /39 HTTP/1.1") connection.send(ok_response());
    connection.ending.wait();
  });
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  run([&]() -> Task<void> {
    std::vector<std::unique_ptr<Background<Result<Response>>>> requests;
    for (int i = 0; i < 40; ++i) {
      std::string url = peer.url("/" + std::to_string(i));
      requests.push_back(std::make_unique<Background<Result<Response>>>(client.get(url).as_result()));
    }
    EXPECT_TRUE(co_await requests.back()->wait());
  });
}

TEST_P(LoopTest, SleepsEndInTimeAndInOrder) {
  run([&]() -> Task<void> {
    TimePoint start = Clock::now();
    std::vector<int> order;
    auto sleeper = [&](int number, Duration duration) -> Task<void> {
      co_await sleep_for(duration);
      EXPECT_GE(Clock::now() - start, duration);
      order.push_back(number);
    };
    co_await when_all(sleeper(3, 30ms), sleeper(1, 5ms), sleeper(2, 15ms), sleeper(0, 0ms));
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
    EXPECT_LT(Clock::now() - start, kPatience);
  });
}

TEST_P(LoopTest, ReadyTasksDoNotStarveTheRest) {
  Peer peer(Peer::answering(ok_response()));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    bool stop = false;
    auto busy = [&]() -> Task<void> {
      while (!stop) co_await yield();
    };
    Background<void> spinner(busy());
    auto response = co_await client.get(peer.url()).as_result();
    EXPECT_TRUE(response);
    co_await sleep_for(2ms);
    stop = true;
    EXPECT_TRUE(co_await spinner.wait());
  });
}

INSTANTIATE_TEST_SUITE_P(BatchWait, LoopTest, ::testing::Values(0, 50, 1000));

}  // namespace
}  // namespace sluice::ring
