// SPDX-License-Identifier: MIT
// rejected: no matching (member )?function for call to .*await_suspend
#include <coroutine>

#include <sluice/time.hpp>

struct Foreign {
  struct promise_type {
    Foreign get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

// A coroutine of another library cannot be resumed by a shard.
Foreign f() {
  co_await sluice::yield();
}
