// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <sluice/shard.hpp>
#include <sluice/task.hpp>

namespace sluice {

/// The limits of an engine. Trivially copyable.
struct EngineOptions {
  unsigned shards = 1;
  ShardOptions shard = {};
};
static_assert(std::is_trivially_copyable_v<EngineOptions>);

/// Several shards, each on a thread of its own. Nothing is shared between them; a client belongs to the shard
/// whose task made it.
///
/// Threading: made, used and destroyed on one thread, which is none of the shards'.
class Engine {
 public:
  /// Starts the threads and waits until every ring is set up. Throws SystemError as Shard does; then none is
  /// left.
  explicit Engine(const EngineOptions& options = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  unsigned size() const noexcept;

  /// Runs `function(shard)`, which gives a Task<void>, on every shard, and waits for all of them. Rethrows
  /// the first exception once all have ended. The function is called on the shards' threads, at the same
  /// time.
  void run_on_each(const std::function<Task<void>(Shard&)>& function);

  /// Runs a task on the first shard and waits for it; gives its value or throws what it threw.
  template <class T>
  T block_on(Task<T> task) {
    Outcome<T> outcome;
    run_on_first([&task, &outcome](Shard& shard) {
      try {
        if constexpr (std::is_void_v<T>)
          shard.block_on(std::move(task));
        else
          outcome.value.emplace(shard.block_on(std::move(task)));
      } catch (...) {
        outcome.exception = std::current_exception();
      }
    });
    if (outcome.exception) std::rethrow_exception(outcome.exception);
    if constexpr (!std::is_void_v<T>) return *std::move(outcome.value);
  }

 private:
  template <class T>
  struct Outcome {
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
    std::exception_ptr exception;
  };
  class Member;

  void run_on_first(const std::function<void(Shard&)>& job);

  std::unique_ptr<Member[]> members_;
  unsigned size_ = 0;
};

}  // namespace sluice
