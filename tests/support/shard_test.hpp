// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <dirent.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sluice/client.hpp>
#include <sluice/shard.hpp>
#include <sluice/time.hpp>

#include "engine/base/compiler.hpp"
#include "engine/net/receive_budget.hpp"
#include "tests/support/peer.hpp"

namespace sluice::testing {

using namespace std::chrono_literals;

/// How long the slowest thing that must happen may take on a busy machine.
inline constexpr auto kPatience = 20s;

inline int open_descriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (dirent* entry = readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  closedir(folder);
  return count - 1;  // the folder's own
}

/// Waits until a condition that other threads bring about holds.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition) {
  for (auto end = Clock::now() + kPatience; !condition(); std::this_thread::sleep_for(200us)) {
    if (Clock::now() > end) return false;
  }
  return true;
}

/// Ends a program that hangs, with a word about where.
class Watchdog {
 public:
  explicit Watchdog(unsigned seconds = 100) {
    std::signal(SIGALRM, [](int) {
      constexpr char kText[] = "the test hangs\n";
      (void)!write(STDERR_FILENO, kText, sizeof(kText) - 1);
      std::abort();
    });
    alarm(seconds);
  }
  ~Watchdog() { alarm(0); }
};

/// A task that runs beside the test's own. Destroying it cancels the task.
template <class T>
class Background {
 public:
  /// Made ready here; runs when the caller next suspends.
  explicit Background(Task<T> task) : task_(std::move(task)) { task_.start(ended_); }

  bool done() const { return ended_.done; }
  T take() { return task_.take(); }
  void cancel() { task_.reset(); }
  /// Waits for the end, within reason.
  Task<bool> wait(Duration patience = kPatience) {
    for (TimePoint end = Clock::now() + patience; !done();) {
      if (Clock::now() > end) co_return false;
      co_await sleep_for(200us);
    }
    co_return true;
  }

 private:
  struct Ended : detail::ReadyNode {
    Ended() : ReadyNode([](detail::ReadyNode& node) { static_cast<Ended&>(node).done = true; }) {}
    bool done = false;
  };
  Ended ended_;
  Task<T> task_;
};

/// A test with a shard. Whatever a test does, once it and its peers are gone every descriptor must be closed
/// again; the shard's destructor checks the engine's own ledgers.
class ShardTest : public ::testing::Test {
 protected:
  ~ShardTest() override {
    shard_.reset();
    EXPECT_EQ(open_descriptors(), descriptors_) << "descriptors leaked";
  }

  /// Other options than the defaults; before the first use of shard().
  void set_up_shard(const ShardOptions& options) { shard_.emplace(options); }
  Shard& shard() {
    if (!shard_) shard_.emplace();
    return *shard_;
  }

  /// For sockets without a client.
  net::ReceiveBudget& budget() { return budget_; }

  template <class T>
  T run(Task<T> task) {
    return shard().block_on(std::move(task));
  }
  /// The same for a coroutine lambda, which must live as long as its task.
  template <class F>
  requires std::is_invocable_v<F&>
  auto run(F body) { return shard().block_on(body()); }

  Result<Response> get(AsyncClient& client, std::string_view url) { return run(client.get(url).as_result()); }

  /// Turns the loop until a condition holds.
  template <class Condition>
  [[nodiscard]] bool turn_until(Condition condition) {
    return run([&]() -> Task<bool> {
      for (TimePoint end = Clock::now() + kPatience; !condition();) {
        if (Clock::now() > end) co_return false;
        co_await sleep_for(200us);
      }
      co_return true;
    });
  }
  /// Turns until retired sockets are gone: so many are left, and no receive buffer is held.
  void expect_sockets(std::uint64_t count) {
    expect_sockets_as([=] { return count; });
  }
  /// The client is as new: nobody waits, nothing is in use, the ledgers agree. Peers may still be ending idle
  /// connections, so the figures are compared with each other and not with what they were.
  void expect_quiet(AsyncClient& client) {
    EXPECT_TRUE(turn_until([&] {
      PoolStats pool = client.pool_stats();
      ShardStats stats = shard().stats();
      return pool.waiting == 0 && pool.connections == pool.idle && stats.open_sockets == pool.idle &&
             stats.leases_out == 0;
    })) << "connections: "
        << client.pool_stats().connections << ", idle: " << client.pool_stats().idle
        << ", waiting: " << client.pool_stats().waiting << ", open sockets: " << shard().stats().open_sockets
        << ", leases: " << shard().stats().leases_out;
  }

 private:
  template <class Count>
  void expect_sockets_as(Count expected) {
    auto reached = [&] {
      ShardStats stats = shard().stats();
      return stats.open_sockets == expected() && stats.leases_out == 0;
    };
    EXPECT_TRUE(turn_until(reached)) << "open sockets: " << shard().stats().open_sockets << ", expected "
                                     << expected() << "; leases: " << shard().stats().leases_out;
  }

  Watchdog watchdog_;
  const int descriptors_ = open_descriptors();
  net::ReceiveBudget budget_{
      {.total_bytes = 1 << 26, .high_water_bytes = 1 << 18, .low_water_bytes = 1 << 17}};
  std::optional<Shard> shard_;
};

/// What an Error said, for comparing in one go.
inline std::string kind_and_phase(const Error& error) {
  return std::string(to_string(error.kind())) + " in " + std::string(to_string(error.phase()));
}
template <class T>
std::string outcome_of(const Result<T>& result) {
  return result ? "ok" : kind_and_phase(result.error());
}

}  // namespace sluice::testing
