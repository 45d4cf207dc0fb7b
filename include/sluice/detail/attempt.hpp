// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <sluice/detail/executor.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>

namespace sluice::detail {

/// Awaits a Task<Result<T>> and throws its error.
template <class T>
class ThrowingAwaiter {
 public:
  explicit ThrowingAwaiter(Task<Result<T>> task) noexcept : inner_(std::move(task).operator co_await()) {}

  bool await_ready() const noexcept { return false; }
  template <SluicePromise Parent>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Parent> parent) noexcept {
    return inner_.await_suspend(parent);
  }
  T await_resume() { return std::move(inner_.await_resume()).value(); }

 private:
  typename Task<Result<T>>::Awaiter inner_;
};

/// Something that may fail: awaiting it gives a T or throws; `.as_result()` gives a Result and never throws.
template <class T>
class [[nodiscard]] Attempt {
 public:
  explicit Attempt(Task<Result<T>> task) noexcept : task_(std::move(task)) {}

  ThrowingAwaiter<T> operator co_await() && { return ThrowingAwaiter<T>(std::move(task_)); }
  Task<Result<T>> as_result() && { return std::move(task_); }

 private:
  Task<Result<T>> task_;
};

}  // namespace sluice::detail
