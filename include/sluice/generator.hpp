// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <optional>
#include <utility>

#include <sluice/detail/executor.hpp>

namespace sluice {

template <class T>
class Generator;

namespace detail {

template <class T>
class GeneratorPromise : public PromiseBase {
 public:
  GeneratorPromise() noexcept : PromiseBase(std::coroutine_handle<GeneratorPromise>::from_promise(*this)) {}
  Generator<T> get_return_object() noexcept;

  template <std::convertible_to<T> U = T>
  WakeWaiter yield_value(U&& value) {
    value_.emplace(std::forward<U>(value));
    running_ = false;
    return {};
  }
  void return_void() noexcept {}

  /// The body is between two values: it runs, or waits for something.
  bool running() const noexcept { return running_; }
  void set_running() noexcept { running_ = true; }
  bool has_value() const noexcept { return value_.has_value(); }
  std::optional<T> take() {
    rethrow_if_failed();
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::optional<T> value_;
  bool running_ = false;
};

}  // namespace detail

/// A coroutine that gives any number of values with `co_yield` and may `co_await` in between. It runs only
/// when it is asked for the next value:
///
///     while (auto value = co_await generator.next()) ...
///
/// Ownership: as Task: the Generator owns the frame, destroying it cancels the body where it is. One consumer
/// at a time; the consumer of a generator may be cancelled while it waits, and no value is lost: the next
/// next() gives it. The body can clean up with destructors only.
///
/// Errors: what the body throws comes out of next(), once; after that, and after the end, next() gives
/// nullopt.
template <class T>
class [[nodiscard]] Generator {
 public:
  using promise_type = detail::GeneratorPromise<T>;
  using value_type = T;

  Generator() = default;
  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Generator& operator=(Generator&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  ~Generator() { reset(); }

  /// Cancels and frees the coroutine; the Generator is empty afterwards.
  void reset() {
    if (frame_) std::exchange(frame_, {}).destroy();
  }
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

 private:
  using Frame = std::coroutine_handle<promise_type>;

  class Awaiter {
   public:
    explicit Awaiter(Frame frame) noexcept : frame_(frame) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (consumer_ != nullptr) frame_.promise().forget_waiter(*consumer_);
    }

    bool await_ready() const noexcept { return !frame_ || frame_.done() || frame_.promise().has_value(); }
    template <detail::SluicePromise Consumer>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Consumer> consumer) noexcept {
      consumer_ = &consumer.promise();
      promise_type& promise = frame_.promise();
      promise.set_waiter(*consumer_);
      if (promise.running())
        return std::noop_coroutine();  // an earlier consumer was cancelled while it waited
      promise.set_running();
      return frame_;
    }
    std::optional<T> await_resume() {
      consumer_ = nullptr;
      if (!frame_) return std::nullopt;
      return frame_.promise().take();
    }

   private:
    Frame frame_;
    detail::ReadyNode* consumer_ = nullptr;
  };

  class [[nodiscard]] Next {
   public:
    explicit Next(Frame frame) noexcept : frame_(frame) {}
    Awaiter operator co_await() const noexcept { return Awaiter(frame_); }

   private:
    Frame frame_;
  };

 public:
  /// `co_await next()` gives the next value, or nullopt at the end. The generator must stay where it is
  /// meanwhile.
  Next next() noexcept { return Next(frame_); }

 private:
  friend promise_type;
  explicit Generator(Frame frame) noexcept : frame_(frame) {}

  Frame frame_;
};

namespace detail {

template <class T>
Generator<T> GeneratorPromise<T>::get_return_object() noexcept {
  return Generator<T>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
}

}  // namespace detail
}  // namespace sluice
