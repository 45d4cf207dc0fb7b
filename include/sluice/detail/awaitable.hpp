// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <sluice/result.hpp>
#include <sluice/task.hpp>

namespace sluice {

/// A callable that may be written in place in an awaited expression. GCC 12 copies a temporary of such an
/// expression bit by bit when it is a lambda with captures that are not trivially copyable (a string, a
/// shared_ptr), and destroys both: memory corruption without a warning. So a callable that is not trivially
/// copyable must be a named object; lambdas that capture references or pointers are fine in place.
template <class F>
concept AwaitSafeCallable =
    std::is_lvalue_reference_v<F> || std::is_trivially_copyable_v<std::remove_cvref_t<F>>;

namespace detail {

/// What co_await calls on an awaitable; only for asking types.
template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

}  // namespace detail

/// What `co_await std::move(awaitable)` gives, as a value; void if nothing.
template <class A>
using AwaitResult = std::remove_cvref_t<decltype(detail::awaiter_of(std::declval<A>()).await_resume())>;

/// What can be given to when_all() and its kin: a Task, a request builder, anything movable that can be
/// awaited.
template <class A>
concept Awaitable = std::move_constructible<std::remove_cvref_t<A>> && requires {
  typename AwaitResult<A>;
};

namespace detail {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

/// A task that awaits the awaitable. A Task is its own: no further frame.
template <class T>
Task<T> as_task(Task<T> task) {
  return task;
}
template <class A>
Task<AwaitResult<A>> as_task(A awaitable) {
  co_return co_await std::move(awaitable);
}

}  // namespace detail
}  // namespace sluice
