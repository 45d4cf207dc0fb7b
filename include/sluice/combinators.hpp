// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <sluice/detail/awaitable.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/error.hpp>
#include <sluice/task.hpp>

/// Waiting for several things at once. All of these own what they wait for: when one ends, by value, by
/// exception or by being cancelled itself, every child that has not ended is cancelled before the caller goes
/// on. Children are only ever cancelled from the shard's loop, never while they run.
///
/// Awaitables are taken by value and start when the returned task is awaited.
namespace sluice {
namespace detail {

/// A void result as a value.
template <class T>
using ValueOrMonostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
ValueOrMonostate<T> take_value(Task<T>& task) {
  if constexpr (std::is_void_v<T>) {
    task.take();
    return {};
  } else {
    return task.take();
  }
}

/// The children of a combinator: starts them and wakes the parent when it has something to decide. The tasks
/// belong to the parent, which must destroy them before it ends.
class ChildGroup {
 public:
  /// What the parent waits for; a child that fails ends the wait in either case.
  enum class Until : unsigned char { all_done, first_done };

  /// The place of one child; stays where it is while the child runs.
  class Child : public ReadyNode {
   public:
    Child() noexcept : ReadyNode(&ended) {}

   private:
    friend class ChildGroup;
    static void ended(ReadyNode& node);
    ChildGroup* group_ = nullptr;
    PromiseBase* promise_ = nullptr;
  };

  explicit ChildGroup(Until until) noexcept : until_(until) {}
  ChildGroup(const ChildGroup&) = delete;
  ChildGroup& operator=(const ChildGroup&) = delete;

  template <class T>
  void start(Child& child, Task<T>& task) {
    child.group_ = this;
    child.promise_ = &task.promise();
    ++running_;
    task.start(child);
  }

  /// Requires that at least one child was started and none has run yet.
  WaitPoint::Awaiter wait() noexcept { return decided_.wait(); }
  /// Ends the wait now.
  void interrupt() noexcept { decided_.notify(); }

  /// After wait(): the child that ended it; null if that was interrupt() or all are done.
  const Child* decider() const noexcept { return decider_; }
  /// After wait(): throws what the decider threw, if it did.
  void rethrow_failure() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void child_ended(Child& child);

  WaitPoint decided_;
  std::size_t running_ = 0;
  const Child* decider_ = nullptr;
  std::exception_ptr failure_;
  Until until_;
};

// The coroutines below move their tasks into a local, so that children end with the body and not with the
// frame.

template <class... Ts, std::size_t... I>
Task<std::tuple<ValueOrMonostate<Ts>...>> join_all(std::tuple<Task<Ts>...> children,
                                                   std::index_sequence<I...>) {
  auto tasks = std::move(children);
  if constexpr (sizeof...(Ts) > 0) {
    std::array<ChildGroup::Child, sizeof...(Ts)> places;
    ChildGroup group(ChildGroup::Until::all_done);
    (group.start(places[I], std::get<I>(tasks)), ...);
    co_await group.wait();
    group.rethrow_failure();
  }
  co_return std::tuple<ValueOrMonostate<Ts>...>{take_value(std::get<I>(tasks))...};
}

template <class T>
using JoinedVector = std::conditional_t<std::is_void_v<T>, void, std::vector<ValueOrMonostate<T>>>;

template <class T>
JoinedVector<T> take_values(std::vector<Task<T>>& tasks) {
  if constexpr (!std::is_void_v<T>) {
    std::vector<T> values;
    values.reserve(tasks.size());
    for (Task<T>& task : tasks) values.push_back(task.take());
    return values;
  }
}

template <class T>
Task<JoinedVector<T>> join_vector(std::vector<Task<T>> children) {
  auto tasks = std::move(children);
  Vector<ChildGroup::Child> places(tasks.size());
  ChildGroup group(ChildGroup::Until::all_done);
  for (std::size_t i = 0; i < tasks.size(); ++i) group.start(places[i], tasks[i]);
  if (!tasks.empty()) co_await group.wait();
  group.rethrow_failure();
  co_return take_values(tasks);
}

template <class... Ts, std::size_t... I>
std::variant<ValueOrMonostate<Ts>...> take_winner(std::tuple<Task<Ts>...>& tasks, std::size_t winner,
                                                  std::index_sequence<I...>) {
  std::optional<std::variant<ValueOrMonostate<Ts>...>> value;
  ((I == winner ? void(value.emplace(std::in_place_index<I>, take_value(std::get<I>(tasks)))) : void()), ...);
  return *std::move(value);
}

template <class... Ts, std::size_t... I>
Task<std::variant<ValueOrMonostate<Ts>...>> race(std::tuple<Task<Ts>...> children,
                                                 std::index_sequence<I...> all) {
  auto tasks = std::move(children);
  std::array<ChildGroup::Child, sizeof...(Ts)> places;
  ChildGroup group(ChildGroup::Until::first_done);
  (group.start(places[I], std::get<I>(tasks)), ...);
  co_await group.wait();
  group.rethrow_failure();
  co_return take_winner(tasks, static_cast<std::size_t>(group.decider() - places.data()), all);
}

/// Interrupts the wait for a group when its time is up.
class TimeLimit : private Timer {
 public:
  TimeLimit(ChildGroup& group, Duration limit);

 private:
  static void expired(Timer& timer);
  ChildGroup* group_;
};

Error deadline_exceeded(Duration limit);

template <class T>
Task<T> run_with_timeout(Duration limit, Task<T> child) {
  auto task = std::move(child);
  ChildGroup::Child place;
  ChildGroup group(ChildGroup::Until::first_done);
  group.start(place, task);
  TimeLimit time_limit(group, limit);
  co_await group.wait();
  group.rethrow_failure();
  if (task.done()) co_return task.take();
  if constexpr (is_result<T>)
    co_return deadline_exceeded(limit);
  else
    deadline_exceeded(limit).raise();
}

}  // namespace detail

/// Runs all at once; gives a tuple of their results (std::monostate for void). The first one to throw cancels
/// the others, and its exception is rethrown.
template <Awaitable... As>
auto when_all(As... awaitables) -> Task<std::tuple<detail::ValueOrMonostate<AwaitResult<As>>...>> {
  return detail::join_all(std::tuple<Task<AwaitResult<As>>...>(detail::as_task(std::move(awaitables))...),
                          std::index_sequence_for<As...>());
}

/// The same for any number of one kind: a vector of their results in the same order; void for Task<void>.
template <class T>
auto when_all(std::vector<Task<T>> tasks) -> Task<detail::JoinedVector<T>> {
  return detail::join_vector(std::move(tasks));
}

/// Runs all at once until the first ends; gives a variant whose index tells which (std::monostate for void).
/// The others are cancelled. If the first to end threw, that is rethrown.
template <Awaitable A, Awaitable... As>
auto when_any(A first, As... others) -> Task<
    std::variant<detail::ValueOrMonostate<AwaitResult<A>>, detail::ValueOrMonostate<AwaitResult<As>>...>> {
  return detail::race(std::tuple<Task<AwaitResult<A>>, Task<AwaitResult<As>>...>(
                          detail::as_task(std::move(first)), detail::as_task(std::move(others))...),
                      std::index_sequence_for<A, As...>());
}

/// Gives what the awaitable gives if it ends within `limit`. Otherwise cancels it and throws
/// DeadlineExceeded; if the awaitable gives a Result, that error is returned in a Result instead. Time counts
/// from when the task starts.
template <Awaitable A>
auto with_timeout(Duration limit, A awaitable) -> Task<AwaitResult<A>> {
  return detail::run_with_timeout(limit, detail::as_task(std::move(awaitable)));
}

}  // namespace sluice
