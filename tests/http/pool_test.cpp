// SPDX-License-Identifier: MIT
#include "engine/http/pool.hpp"

#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/shard_test.hpp"

namespace sluice::http {
namespace {

using namespace testing;

const OriginKey kA{"http", "a", 80}, kB{"http", "b", 80}, kC{"http", "c", 80};

class PoolTest : public ShardTest {
 protected:
  std::shared_ptr<Pool> make(const Limits& limits = {}) {
    return std::make_shared<Pool>(shard().loop(), limits, wire::ReaderLimits());
  }

  /// A place that is free now, connected to a socket pair whose other end stays open with the test.
  Slot place(Pool& pool, const OriginKey& key) {
    Slot slot = pool.try_acquire(key);
    if (slot) connect(slot);
    return slot;
  }
  void connect(Slot& slot) {
    if (slot.connected()) return;
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    slot.attach(net::Socket::adopt(shard().loop(), budget(), net::Fd(ends[0])));
    far_ends_[&slot.connection()] = net::Fd(ends[1]);
  }

  using Waiting = Background<Result<Slot>>;
  static std::unique_ptr<Waiting> wait_for(Pool& pool, const OriginKey& key, Duration timeout = kNoTimeout) {
    return std::make_unique<Waiting>(pool.acquire(key, timeout));
  }

  std::map<Connection*, net::Fd> far_ends_;
};

TEST_F(PoolTest, NoMorePlacesThanAllowed) {
  auto pool = make({.max_connections = 2});
  run([&]() -> Task<void> {
    Slot first = place(*pool, kA), second = place(*pool, kB);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(pool->try_acquire(kA));
    EXPECT_FALSE(pool->try_acquire(kC));
    EXPECT_EQ(pool->stats().connections, 2U);
    second.drop();
    EXPECT_TRUE(place(*pool, kC));
    co_return;
  });
  EXPECT_EQ(pool->stats().connections, 0U);
}

TEST_F(PoolTest, APlaceThatWasNeverConnectedComesBack) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      Slot slot = pool->try_acquire(kA);
      EXPECT_TRUE(slot);
      EXPECT_FALSE(slot.connected());
    }
    EXPECT_EQ(pool->stats().connections, 0U);
    EXPECT_EQ(pool->stats().opened, 0U);
    co_return;
  });
}

TEST_F(PoolTest, MostRecentlyUsedFirst) {
  auto pool = make();
  run([&]() -> Task<void> {
    Slot first = place(*pool, kA), second = place(*pool, kA);
    Connection *older = &first.connection(), *newer = &second.connection();
    first.release();
    second.release();
    EXPECT_EQ(pool->stats().idle, 2U);
    Slot again = pool->try_acquire(kA), and_again = pool->try_acquire(kA);
    EXPECT_EQ(&again.connection(), newer);
    EXPECT_EQ(&and_again.connection(), older);
    EXPECT_EQ(pool->stats().opened, 2U);
    co_return;
  });
}

TEST_F(PoolTest, OriginsDoNotShare) {
  auto pool = make();
  run([&]() -> Task<void> {
    place(*pool, kA).release();
    for (OriginKey other :
         {kB, OriginKey{"http", "a", 81}, OriginKey{"ws", "a", 80}, OriginKey{"http", "aa", 80}}) {
      Slot slot = pool->try_acquire(other);
      EXPECT_FALSE(slot.connected());
    }
    std::string copied_host = "a";  // keys are compared by text, not by address
    EXPECT_TRUE(pool->try_acquire({"http", copied_host, 80}).connected());
    co_return;
  });
}

TEST_F(PoolTest, WaitersAreServedInTheirOrder) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    Slot held = place(*pool, kA);
    std::vector<std::unique_ptr<Waiting>> waiting;
    for (int i = 0; i < 5; ++i) {
      waiting.push_back(wait_for(*pool, i % 2 == 0 ? kA : kB));
      co_await yield();
    }
    EXPECT_EQ(pool->stats().waiting, 5U);
    held.drop();
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(co_await waiting[std::size_t(i)]->wait());
      EXPECT_EQ(pool->stats().waiting, unsigned(4 - i));
      for (int later = i + 1; later < 5; ++later) EXPECT_FALSE(waiting[std::size_t(later)]->done());
      Slot slot = waiting[std::size_t(i)]->take().value();
      connect(slot);
      i % 3 == 0 ? slot.release() : slot.drop();  // also a connection of another origin makes place
    }
  });
}

TEST_F(PoolTest, NobodyOvertakesAWaiter) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    Slot held = place(*pool, kA);
    auto waiting = wait_for(*pool, kB);
    co_await yield();
    held.drop();  // now the waiter's, though it has not run yet
    EXPECT_FALSE(pool->try_acquire(kA));
    EXPECT_TRUE(co_await waiting->wait());
    EXPECT_TRUE(waiting->take());
  });
}

TEST_F(PoolTest, LongestIdleMakesWayForAnotherOrigin) {
  auto pool = make({.max_connections = 2});
  run([&]() -> Task<void> {
    Slot first = place(*pool, kA), second = place(*pool, kB);
    first.release();
    second.release();
    Slot third = place(*pool, kC);
    EXPECT_TRUE(third);
    EXPECT_EQ(pool->stats().connections, 2U);
    EXPECT_TRUE(pool->try_acquire(kB).connected());  // it was kA's that went; dropping this one makes room
    EXPECT_FALSE(pool->try_acquire(kA).connected());
    co_return;
  });
}

TEST_F(PoolTest, SurplusIsTrimmedOldestFirst) {
  auto pool = make({.max_keepalive_connections = 2});
  run([&]() -> Task<void> {
    std::vector<Slot> slots;
    for (int i = 0; i < 5; ++i) slots.push_back(place(*pool, kA));
    Connection* last = &slots.back().connection();
    for (Slot& slot : slots) slot.release();
    co_await yield();
    EXPECT_EQ(pool->stats().idle, 2U);
    EXPECT_EQ(pool->stats().connections, 2U);
    EXPECT_EQ(&pool->try_acquire(kA).connection(), last);
  });
  pool->close();
  expect_sockets(0);
}

TEST_F(PoolTest, AllThatExpiredGoAtOnce) {
  auto pool = make({.keepalive_expiry = 20ms});
  run([&]() -> Task<void> {
    std::vector<Slot> slots;
    for (int i = 0; i < 5; ++i) slots.push_back(place(*pool, i < 3 ? kA : kB));
    for (Slot& slot : slots) slot.release();
    co_await sleep_for(5ms);
    EXPECT_EQ(pool->stats().idle, 5U);
    co_await sleep_for(40ms);
    EXPECT_EQ(pool->stats().idle, 0U);
  });
}

TEST_F(PoolTest, TimeoutTakesTheWaiterOut) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    Slot held = place(*pool, kA);
    auto result = co_await pool->acquire(kA, 10ms);
    EXPECT_EQ(outcome_of(result), "PoolTimeout in pool");
    EXPECT_EQ(pool->stats().waiting, 0U);
    held.release();
    EXPECT_TRUE(co_await pool->acquire(kA, 0ms));  // no need to wait, no time-out
  });
}

TEST_F(PoolTest, NoConnectionsAllowed) {
  auto pool = make({.max_connections = 0});
  EXPECT_EQ(outcome_of(run(pool->acquire(kA, 1ms))), "PoolTimeout in pool");
}

TEST_F(PoolTest, CancelledWaiters) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    Slot held = place(*pool, kA);
    auto first = wait_for(*pool, kA), second = wait_for(*pool, kB);
    co_await yield();
    first->cancel();  // while waiting
    EXPECT_EQ(pool->stats().waiting, 1U);
    auto third = wait_for(*pool, kA);
    co_await yield();
    held.drop();       // grants the second ...
    second->cancel();  // ... which is cancelled before it runs: the third gets the place
    EXPECT_TRUE(co_await third->wait());
    EXPECT_TRUE(third->take());
  });
  EXPECT_EQ(pool->stats().connections, 0U);
}

TEST_F(PoolTest, CancelledAfterItGotAConnection) {
  auto pool = make({.max_connections = 1});
  run([&]() -> Task<void> {
    Slot held = place(*pool, kA);
    auto first = wait_for(*pool, kA), second = wait_for(*pool, kA);
    co_await yield();
    held.release();
    first->cancel();
    EXPECT_TRUE(co_await second->wait());
    EXPECT_TRUE(second->take());
  });
}

TEST_F(PoolTest, ClosingEndsWaitersAndBreaksWhatIsInUse) {
  auto pool = make({.max_connections = 2});
  run([&]() -> Task<void> {
    Slot in_use = place(*pool, kA), idle = place(*pool, kA);
    auto waiting = wait_for(*pool, kB);
    co_await yield();
    pool->close();
    EXPECT_TRUE(co_await waiting->wait());
    EXPECT_EQ(outcome_of(waiting->take()), "ClientClosed in pool");
    EXPECT_TRUE(in_use.connection().socket->stirred());
    net::ReadOutcome outcome = co_await in_use.connection().socket->read(kNoTimeout);
    EXPECT_EQ(outcome.status, net::SocketStatus::failed);
    idle.release();  // a connection that comes back later is not kept
    EXPECT_EQ(pool->stats().idle, 0U);
    EXPECT_FALSE(pool->try_acquire(kA));
    EXPECT_EQ(outcome_of(co_await pool->acquire(kA, kNoTimeout)), "ClientClosed in pool");
  });
  EXPECT_EQ(pool->stats().connections, 0U);
  expect_sockets(0);
}

TEST_F(PoolTest, IdleConnectionsThatStirAreDiscarded) {
  auto pool = make();
  run([&]() -> Task<void> {
    std::vector<Slot> slots;
    for (int i = 0; i < 4; ++i) slots.push_back(place(*pool, kA));
    std::vector<Connection*> connections;
    for (Slot& slot : slots) connections.push_back(&slot.connection());
    for (Slot& slot : slots) slot.release();
    far_ends_[connections[1]].close();
    EXPECT_EQ(send(far_ends_[connections[2]].number(), "x", 1, 0), 1);
    for (int i = 0; i < 1000 && pool->stats().idle != 2; ++i) co_await sleep_for(100us);
    EXPECT_EQ(pool->stats().idle, 2U);
    EXPECT_EQ(&pool->try_acquire(kA).connection(), connections[3]);
  });
}

TEST_F(PoolTest, AnyOrderOfEventsKeepsTheLedger) {
  // A long random life, from a fixed seed: the pool checks its own ledger at every step, this checks its
  // limits.
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    auto pick = [&](std::size_t below) { return std::size_t(random() % below); };
    const Limits limits{.max_connections = std::uint32_t(1 + pick(5)),
                        .max_keepalive_connections = std::uint32_t(pick(4)),
                        .keepalive_expiry = 1ms * (1 + pick(5))};
    auto pool = make(limits);
    run([&]() -> Task<void> {
      const OriginKey keys[] = {kA, kB, kC};
      std::vector<Slot> slots;
      std::vector<std::unique_ptr<Waiting>> waiting;
      for (int step = 0; step < 400; ++step) {
        switch (pick(8)) {
          case 0:
            if (Slot slot = pool->try_acquire(keys[pick(3)])) slots.push_back(std::move(slot));
            break;
          case 1:
            waiting.push_back(wait_for(*pool, keys[pick(3)], pick(2) == 0 ? kNoTimeout : Duration(500us)));
            break;
          case 2:
            if (!slots.empty()) connect(slots[pick(slots.size())]);
            break;
          case 3:
          case 4:
            if (!slots.empty()) {
              std::swap(slots[pick(slots.size())], slots.back());
              if (slots.back().connected()) slots.back().release();
              slots.pop_back();
            }
            break;
          case 5:
            if (!waiting.empty() && pick(3) == 0)
              waiting.erase(waiting.begin() + std::ptrdiff_t(pick(waiting.size())));
            break;
          case 6:
            if (!far_ends_.empty())
              std::next(far_ends_.begin(), std::ptrdiff_t(pick(far_ends_.size())))->second.close();
            break;
          case 7:
            co_await sleep_for(std::chrono::microseconds(pick(300)));
            break;
        }
        for (auto entry = waiting.begin(); entry != waiting.end();) {
          if (!(*entry)->done()) {
            ++entry;
            continue;
          }
          if (auto slot = (*entry)->take()) slots.push_back(*std::move(slot));
          entry = waiting.erase(entry);
        }
        EXPECT_LE(pool->stats().connections, limits.max_connections);
        EXPECT_GE(pool->stats().connections, pool->stats().idle + slots.size());
      }
      waiting.clear();
      slots.clear();
      co_await yield();
      EXPECT_EQ(pool->stats().connections, pool->stats().idle);
      EXPECT_LE(pool->stats().idle, limits.max_keepalive_connections);
      EXPECT_EQ(pool->stats().waiting, 0U);
    });
    pool->close();
    EXPECT_EQ(pool->stats().connections, 0U);
    far_ends_.clear();
    expect_sockets(0);
  }
}

}  // namespace
}  // namespace sluice::http
