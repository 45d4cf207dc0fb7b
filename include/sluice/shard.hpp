// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <sluice/detail/executor.hpp>
#include <sluice/task.hpp>

namespace sluice {

namespace ring {
class Loop;
}

/// Receive buffers of a shard.
struct BufferOptions {
  std::uint32_t count = 128;              ///< a power of two, at most 32768
  std::uint32_t size_bytes = 256 * 1024;  ///< bytes of each; memory is used as far as it is filled
  /// Data that the buffers which the kernel fills next hold together: a part of the processor's cache, so
  /// that bulk data does not pass through all the buffers there are.
  std::uint32_t hot_bytes = 4 * 1024 * 1024;
};

/// The limits of one shard. Trivially copyable: may be written in place in an awaited expression.
struct ShardOptions {
  std::uint32_t ring_entries = 1024;  ///< submission entries; more operations than that may be in flight
  BufferOptions buffers = {};
  /// How long a shard with many requests in flight may wait for several replies to arrive together. Each
  /// wake-up then serves more of them at less cost; a shard with fewer than eight in flight waits for one. 0
  /// turns it off.
  std::chrono::microseconds batch_wait{50};
};
static_assert(std::is_trivially_copyable_v<ShardOptions>);

/// What a shard has done and holds.
struct ShardStats {
  std::uint64_t operations_started = 0;
  std::uint64_t operations_finished = 0;
  std::uint64_t ring_enters = 0;      ///< io_uring_enter system calls
  std::uint64_t queue_overflows = 0;  ///< turns in which completions did not fit into their queue
  std::uint64_t leases_out = 0;       ///< receive buffers held by readers
  std::uint64_t lease_copies = 0;     ///< receives that were copied because buffers were scarce
  std::uint64_t buffer_starvations = 0;
  std::uint64_t open_sockets = 0;
};
static_assert(std::is_trivially_copyable_v<ShardStats>);

/// One thread's engine: a ring, its receive buffers, its timers and its tasks.
///
/// Threading: made, used and destroyed on one thread, but for post(). Destroying it closes the connections of
/// clients that still exist, waits until the kernel has let go of everything, and aborts if a ledger does not
/// balance.
class Shard {
 public:
  /// Sets up the ring. Throws SystemError with a sentence that says what the machine refuses and what to do
  /// about it.
  explicit Shard(const ShardOptions& options = {});
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  /// Runs the shard on this thread until the task is done; returns its value or throws what it threw. Not
  /// from within a task of the same shard: await there instead.
  template <class T>
  T block_on(Task<T> task) {
    Completion completion;
    auto start = [&] { task.start(completion); };
    if constexpr (std::is_void_v<T>) {
      drive(start, completion.done, [&] { Task<T>(std::move(task)).take(); });
    } else {
      std::optional<T> value;
      drive(start, completion.done, [&] { value.emplace(Task<T>(std::move(task)).take()); });
      return *std::move(value);
    }
  }

  /// Calls `function` on the shard's thread, from its loop: while block_on() runs, or at its next call. It
  /// must not throw. Any thread. False when the shard is shutting down; a function that was taken may still
  /// be destroyed uncalled then.
  bool post(std::function<void()> function);

  ShardStats stats() const;
  /// The number of the shard in its engine; 0 for a shard on its own.
  unsigned index = 0;

  /// The engine behind it; for sluice's own layers.
  ring::Loop& loop() noexcept { return *loop_; }

 private:
  struct Completion : detail::ReadyNode {
    Completion() : ReadyNode([](ReadyNode& node) { static_cast<Completion&>(node).done = true; }) {}
    bool done = false;
  };

  /// Makes the shard current, starts, turns the loop until done, finishes.
  void drive(const std::function<void()>& start, const bool& done, const std::function<void()>& finish);

  std::unique_ptr<ring::Loop> loop_;
};

/// Runs a task on a shard of its own, made for the call on this thread: the one-liner for scripts.
template <class T>
T run(Task<T> task) {
  Shard shard;
  return shard.block_on(std::move(task));
}

}  // namespace sluice
