// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <optional>
#include <utility>

#include <sluice/detail/executor.hpp>

namespace sluice {

template <class T>
class Task;

namespace detail {

template <class T>
class TaskPromise : public PromiseBase {
 public:
  TaskPromise() noexcept : PromiseBase(std::coroutine_handle<TaskPromise>::from_promise(*this)) {}
  Task<T> get_return_object() noexcept;

  template <std::convertible_to<T> U = T>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow_if_failed();
    return *std::move(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public PromiseBase {
 public:
  TaskPromise() noexcept : PromiseBase(std::coroutine_handle<TaskPromise>::from_promise(*this)) {}
  Task<void> get_return_object() noexcept;

  void return_void() noexcept {}
  void take() { rethrow_if_failed(); }
};

}  // namespace detail

/// A coroutine that gives a T (or throws) when awaited. Lazy: it starts when it is awaited, spawned or run.
///
/// Ownership: the Task owns the frame. Destroying a Task that has started is how it is cancelled: the frame
/// and all that it awaits are destroyed at once, innermost first, and whatever the kernel still holds belongs
/// to the shard, not to the frame. Cancellation is therefore not an exception and cannot be swallowed. A task
/// must not destroy itself; scope(), when_any() and with_timeout() cancel from the loop and never from inside
/// a child.
///
/// Threading: a task lives on one shard.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  Task() = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  ~Task() { reset(); }

  /// Cancels and frees the coroutine; the Task is empty afterwards.
  void reset() {
    if (frame_) std::exchange(frame_, {}).destroy();
  }
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  /// Owns the task while it is awaited, so that it ends with the coroutine that awaits it.
  class [[nodiscard]] Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() { frame_.destroy(); }

    bool await_ready() const noexcept { return false; }
    template <detail::SluicePromise Parent>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Parent> parent) noexcept {
      frame_.promise().set_waiter(parent.promise());
      return frame_;
    }
    T await_resume() { return frame_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> frame_;
  };

  /// The task must not be empty; it is afterwards.
  Awaiter operator co_await() && noexcept { return Awaiter(std::exchange(frame_, {})); }

  // For combinators and loops: start without a parent, look, take.

  /// Makes the task ready to run; `on_done` is made ready when it ends. Call once.
  void start(detail::ReadyNode& on_done) {
    promise().set_waiter(on_done);
    detail::ready_list().push_back(promise());
  }
  /// The task's own ready node; the task must not be empty.
  detail::PromiseBase& promise() const noexcept { return frame_.promise(); }
  bool done() const noexcept { return frame_ && frame_.done(); }
  /// The task ended with an exception.
  bool failed() const noexcept { return frame_ && frame_.promise().failed(); }
  /// The value of a task that is done; throws what it threw.
  T take() { return frame_.promise().take(); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace detail
}  // namespace sluice
