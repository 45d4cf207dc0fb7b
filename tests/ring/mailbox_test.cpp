// SPDX-License-Identifier: MIT
#include "engine/ring/mailbox.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice::ring {
namespace {

using namespace testing;

/// A message that keeps count of what becomes of it.
struct Counted : Message {
  struct Counts {
    std::atomic<int> made{0}, delivered{0}, destroyed{0};
  };
  Counted(Counts& its_counts, std::vector<int>* its_log = nullptr, int its_number = 0)
      : counts(&its_counts), log(its_log), number(its_number) {
    ++counts->made;
  }
  ~Counted() override { ++counts->destroyed; }
  void deliver() noexcept override {
    ++counts->delivered;
    if (log != nullptr) log->push_back(number);
  }
  Counts* counts;
  std::vector<int>* log;
  int number;
};

TEST(MailboxTest, DeliversInOrderAndOnce) {
  Watchdog watchdog;
  Mailbox mailbox;
  ASSERT_TRUE(mailbox.open());
  Counted::Counts counts;
  std::vector<int> log;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(mailbox.post(std::make_unique<Counted>(counts, &log, i)));
  EXPECT_EQ(mailbox.deliver(), 5U);
  EXPECT_EQ(mailbox.deliver(), 0U);
  EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(counts.destroyed, 5);
}

TEST(MailboxTest, MayNotSleepOverAMessage) {
  Mailbox mailbox;
  ASSERT_TRUE(mailbox.open());
  EXPECT_TRUE(mailbox.try_sleep());
  mailbox.awake();
  Counted::Counts counts;
  EXPECT_TRUE(mailbox.post(std::make_unique<Counted>(counts)));
  EXPECT_FALSE(mailbox.try_sleep());
  mailbox.deliver();
  EXPECT_TRUE(mailbox.try_sleep());
}

TEST(MailboxTest, WhatIsNotDeliveredIsDestroyed) {
  Counted::Counts counts;
  {
    Mailbox mailbox;
    ASSERT_TRUE(mailbox.open());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(mailbox.post(std::make_unique<Counted>(counts)));
  }
  EXPECT_EQ(counts.delivered, 0);
  EXPECT_EQ(counts.destroyed, 3);
}

TEST(MailboxTest, AMessageThatPosts) {
  struct Chain : Message {
    Chain(Mailbox& its_mailbox, int how_many) : mailbox(&its_mailbox), left(how_many) {}
    void deliver() noexcept override {
      if (left > 0) mailbox->post(std::make_unique<Chain>(*mailbox, left - 1));
    }
    Mailbox* mailbox;
    int left;
  };
  Mailbox mailbox;
  ASSERT_TRUE(mailbox.open());
  mailbox.post(std::make_unique<Chain>(mailbox, 3));
  // One round at a time, so that messages that breed cannot starve the loop.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(mailbox.deliver(), 1U);
  EXPECT_EQ(mailbox.deliver(), 0U);
}

TEST(MailboxTest, ManySendersToAShard) {
  Watchdog watchdog;
  constexpr int kSenders = 4, kEach = 3000;
  Shard shard;
  std::vector<std::vector<int>> logs(kSenders);
  std::atomic<int> arrived{0};  // atomic only for the assertion's sake: all of it happens on this thread
  std::thread::id here = std::this_thread::get_id();
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kEach; ++i) {
        bool posted = shard.post([&, sender, i] {
          EXPECT_EQ(std::this_thread::get_id(), here);
          logs[std::size_t(sender)].push_back(i);
          ++arrived;
        });
        EXPECT_TRUE(posted);
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  auto wait = [&]() -> Task<void> {
    while (arrived != kSenders * kEach) co_await sleep_for(100us);
  };
  shard.block_on(wait());
  for (std::thread& sender : senders) sender.join();
  for (const std::vector<int>& log : logs) {
    ASSERT_EQ(log.size(), std::size_t(kEach));
    EXPECT_TRUE(std::is_sorted(log.begin(), log.end()));
  }
}

TEST(MailboxTest, EveryWakeUpArrives) {
  // A shard that has nothing else to do sleeps between two messages; a lost wake-up would hang the test.
  Watchdog watchdog;
  Shard shard;
  std::atomic<int> delivered{0};
  std::thread sender([&] {
    for (int i = 1; i <= 3000; ++i) {
      EXPECT_TRUE(shard.post([&] { ++delivered; }));
      while (delivered != i) std::this_thread::yield();
    }
  });
  detail::WaitPoint done;
  auto wait = [&]() -> Task<void> { co_await done.wait(); };
  std::thread closer([&] {
    sender.join();
    EXPECT_TRUE(shard.post([&] { done.notify(); }));
  });
  shard.block_on(wait());
  closer.join();
  EXPECT_EQ(delivered, 3000);
}

TEST(MailboxTest, ClosingWhileOthersPost) {
  Watchdog watchdog;
  for (int round = 0; round < 50; ++round) {
    Counted::Counts counts;
    std::atomic<int> accepted{0};
    {
      Ring ring;
      ASSERT_TRUE(ring.open(8));
      Mailbox mailbox;
      ASSERT_TRUE(mailbox.open());
      mailbox.watch(ring);
      std::vector<std::thread> senders;
      for (int i = 0; i < 3; ++i) {
        senders.emplace_back([&] {
          while (mailbox.post(std::make_unique<Counted>(counts))) ++accepted;
        });
      }
      while (accepted < 20) {
        mailbox.deliver();
        std::this_thread::yield();
      }
      mailbox.close(ring);
      while (ring.in_flight() != 0) {
        ring.submit_and_wait({.completions = 1, .batch = {}, .timeout = {}});
        ring.reap(100);
      }
      for (std::thread& sender : senders) sender.join();
      mailbox.deliver();
      EXPECT_FALSE(mailbox.post(std::make_unique<Counted>(counts)));
    }
    EXPECT_EQ(counts.delivered, accepted);
    EXPECT_EQ(counts.destroyed, counts.made);
  }
}

}  // namespace
}  // namespace sluice::ring
