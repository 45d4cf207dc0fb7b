// SPDX-License-Identifier: MIT
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <sluice/engine.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class MailboxTest : public ShardTest {};

/// Suspends until somebody on the shard's thread opens it.
class Latch {
 public:
  explicit Latch(int count) : left_(count) {}
  void count_down() {
    if (--left_ == 0) point_.notify();
  }
  Task<void> wait() {
    if (left_ > 0) co_await point_.wait();
  }

 private:
  int left_;
  detail::WaitPoint point_;
};

TEST_F(MailboxTest, WakesAShardThatSleeps) {
  Latch arrived(1);
  std::thread::id delivered_on;
  Shard& target = shard();
  std::thread sender([&] {
    EXPECT_TRUE(target.post([&] {
      delivered_on = std::this_thread::get_id();
      arrived.count_down();
    }));
  });
  run([&]() -> Task<void> { co_await arrived.wait(); });
  sender.join();
  EXPECT_EQ(delivered_on, std::this_thread::get_id());
}

TEST_F(MailboxTest, KeepsTheOrderOfEachSender) {
  constexpr int kSenders = 4, kMessages = 5000;
  Latch all(kSenders * kMessages);
  std::vector<int> next(kSenders, 0);
  bool in_order = true;
  Shard& target = shard();
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      for (int m = 0; m < kMessages; ++m) {
        target.post([&, s, m] {
          in_order = in_order && next[static_cast<std::size_t>(s)]++ == m;
          all.count_down();
        });
      }
    });
  }
  run([&]() -> Task<void> { co_await all.wait(); });
  for (std::thread& sender : senders) sender.join();
  EXPECT_TRUE(in_order);
}

/// A message back and forth: each side is asleep, or about to be, when the other one wakes it. A lost wake-up hangs.
TEST_F(MailboxTest, NoWakeUpIsLostBetweenTwoShards) {
  constexpr int kRounds = 3000;
  std::atomic<Shard*> other{nullptr};
  std::atomic<int> rounds{0};
  Shard& here = shard();
  Latch done(1);
  std::function<void()> ping, pong;
  Latch* other_done = nullptr;
  ping = [&] {
    if (rounds.fetch_add(1) < kRounds) {
      other.load()->post(pong);
      return;
    }
    other.load()->post([&] { other_done->count_down(); });
    done.count_down();
  };
  pong = [&] { here.post(ping); };
  std::thread thread([&] {
    Shard there;
    Latch latch(1);
    other_done = &latch;
    other = &there;
    there.block_on(latch.wait());
  });
  while (other.load() == nullptr) std::this_thread::yield();
  here.post(ping);
  run([&]() -> Task<void> { co_await done.wait(); });
  thread.join();
  EXPECT_EQ(rounds.load(), kRounds + 1);
}

TEST_F(MailboxTest, MessagesThatWereNotDeliveredAreDestroyed) {
  auto token = std::make_shared<int>(1);
  {
    Shard shard;
    EXPECT_TRUE(shard.post([token] {}));
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(MailboxTest, PostingWhileTheShardShutsDownIsRefusedOrDelivered) {
  for (int round = 0; round < 50; ++round) {
    auto token = std::make_shared<std::atomic<int>>(0);
    std::atomic<bool> stop{false};
    std::thread sender;
    int accepted = 0;
    {
      Shard shard;
      sender = std::thread([&] {
        while (!stop) accepted += shard.post([token] { ++*token; }) ? 1 : 0;
      });
      shard.block_on([](int turns) -> Task<void> {
        for (int i = 0; i < turns; ++i) co_await yield();
      }(round));
      // The shard must outlive its senders; what it still holds when it ends is dealt with.
      stop = true;
      sender.join();
    }
    EXPECT_EQ(token->load(), accepted);
    EXPECT_EQ(token.use_count(), 1);
  }
}

TEST(EngineMailboxTest, EveryShardRunsItsTaskAndTheFirstExceptionComesOut) {
  Engine engine({.shards = 3});
  std::atomic<unsigned> ran{0};
  engine.run_on_each([&](Shard& shard) -> Task<void> {
    ran |= 1U << shard.index;
    co_return;
  });
  EXPECT_EQ(ran.load(), 0b111U);
  EXPECT_THROW(engine.run_on_each([](Shard& shard) -> Task<void> {
    if (shard.index == 1) throw std::runtime_error("one fails");
    co_return;
  }),
               std::runtime_error);
  auto value = []() -> Task<int> { co_return 42; };
  EXPECT_EQ(engine.block_on(value()), 42);
  auto failing = []() -> Task<int> {
    throw std::logic_error("it fails");
    co_return 0;
  };
  EXPECT_THROW(engine.block_on(failing()), std::logic_error);
}

TEST(EngineMailboxTest, NoShardsAreRefused) { EXPECT_THROW(Engine({.shards = 0}), SystemError); }

}  // namespace
}  // namespace sluice
