// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <sluice/detail/awaitable.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/task.hpp>

namespace sluice {

class Scope;

namespace detail {

/// A task that a scope runs. Made ready when the task ends; then it leaves its scope and dies.
class ScopeChild : public ReadyNode, public Recycled {
 public:
  ScopeChild() noexcept : ReadyNode(&ended) {}
  virtual ~ScopeChild() = default;

  virtual void start() = 0;
  virtual PromiseBase& promise() = 0;

 private:
  friend class sluice::Scope;
  static void ended(ReadyNode& node);

  Scope* scope_ = nullptr;
  ScopeChild* next_ = nullptr;  // the scope's list, oldest first
  ScopeChild* previous_ = nullptr;
};

template <class T>
class ScopeTask : public ScopeChild {
 public:
  explicit ScopeTask(Task<T> task) noexcept : task_(std::move(task)) {}
  void start() override { task_.start(*this); }
  PromiseBase& promise() override { return task_.promise(); }

 private:
  Task<T> task_;
};

/// A call whose function and arguments live exactly as long as its task, which may refer to them.
template <class F, class... Args>
class ScopeCall : public ScopeChild {
 public:
  template <class Function, class... Arguments>
  explicit ScopeCall(std::in_place_t, Function&& function, Arguments&&... arguments)
      : function_(std::forward<Function>(function)),
        arguments_(std::forward<Arguments>(arguments)...),
        task_(as_task(call(std::index_sequence_for<Args...>()))) {}
  void start() override { task_.start(*this); }
  PromiseBase& promise() override { return task_.promise(); }

 private:
  template <std::size_t... I>
  decltype(auto) call(std::index_sequence<I...>) {
    return std::invoke(function_, std::forward<Args>(std::get<I>(arguments_))...);
  }

  F function_;
  std::tuple<Args...> arguments_;
  Task<AwaitResult<std::invoke_result_t<F&, Args...>>> task_;
};

/// What Scope::spawn() can call: with copies of the arguments, but what std::ref wraps.
template <class F, class... Args>
concept Spawnable = !Awaitable<F> && std::invocable<std::decay_t<F>&, std::unwrap_ref_decay_t<Args>...>;

/// What scope() can run.
template <class F>
concept ScopeBody = AwaitSafeCallable<F> && std::same_as<std::invoke_result_t<F&, Scope&>, Task<void>>;

template <class F>
Task<void> run_scope(F body);

}  // namespace detail

/// The children of a scope(). Each runs as a task of its own and is freed as soon as it ends.
///
/// Threading: used on the shard that runs it, by its body and its children.
class Scope {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Runs `function(arguments...)` as a child. Function and arguments are copied (or moved) and live as long
  /// as the child; what is to be passed by reference goes through std::ref and must outlive the scope. The
  /// function is called now, its task runs from the loop.
  template <class F, class... Args>
  void spawn(F&& function, Args&&... arguments) requires detail::Spawnable<F, Args...> {
    using Call = detail::ScopeCall<std::decay_t<F>, std::unwrap_ref_decay_t<Args>...>;
    adopt(std::make_unique<Call>(std::in_place, std::forward<F>(function), std::forward<Args>(arguments)...));
  }

  /// Runs a task, or awaits an awaitable, as a child. Its result is dropped.
  template <Awaitable A>
  void spawn(A awaitable) {
    adopt(std::make_unique<detail::ScopeTask<AwaitResult<A>>>(detail::as_task(std::move(awaitable))));
  }

  /// Cancels the children that there are, but not the body. May be called by a child: it takes effect once
  /// the caller suspends, and no other child runs in between.
  void cancel() noexcept;

  /// How many children have not ended.
  std::size_t size() const noexcept { return size_; }

 private:
  friend class detail::ScopeChild;
  template <class F>
  friend Task<void> detail::run_scope(F body);

  struct Canceller : detail::ReadyNode {
    explicit Canceller(Scope& owner) noexcept;
    Scope* scope;
  };
  struct BodyEnd : detail::ReadyNode {
    explicit BodyEnd(Scope& owner) noexcept;
    Scope* scope;
  };

  Scope() noexcept : canceller_(*this), body_end_(*this) {}
  ~Scope() { cancel_all(); }  // before any member goes: destructors of tasks may call the scope

  void run(Task<void> body);
  detail::WaitPoint::Awaiter join() noexcept { return joined_.wait(); }
  void rethrow_failure();

  void adopt(std::unique_ptr<detail::ScopeChild> child);
  std::unique_ptr<detail::ScopeChild> remove(detail::ScopeChild& child) noexcept;
  void child_ended(detail::ScopeChild& child);
  void body_ended();
  void cancel_children() noexcept;
  void cancel_all() noexcept;
  void note_failure(detail::PromiseBase& promise) noexcept;
  void finish_if_over();

  Task<void> body_;
  detail::ScopeChild* first_ = nullptr;
  detail::ScopeChild* last_ = nullptr;
  std::size_t size_ = 0;
  std::exception_ptr failure_;
  Canceller canceller_;
  BodyEnd body_end_;
  detail::WaitPoint joined_;
};

namespace detail {

template <class F>
Task<void> run_scope(F body) {
  Scope scope;
  scope.run(std::invoke(body, scope));
  co_await scope.join();
  scope.rethrow_failure();
}

}  // namespace detail

/// Runs `body(scope)`, a coroutine that gives a Task<void>, and ends when it and all children that it (or
/// they) spawned have ended. The first exception, of the body or of a child, cancels all the others and is
/// rethrown.
///
/// Variables that children refer to must be declared outside of the body: it may end before they do. A named
/// callable is referred to, a temporary is kept by the returned task.
template <detail::ScopeBody F>
Task<void> scope(F&& body) {
  return detail::run_scope<F>(std::forward<F>(body));
}

}  // namespace sluice
