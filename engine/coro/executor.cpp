// SPDX-License-Identifier: MIT
#include <sluice/detail/executor.hpp>

#include "engine/base/check.hpp"

namespace sluice::detail {

constinit thread_local ReadyList* current_ready_list = nullptr;

void no_shard_on_this_thread() {
  base::check_failed(
      "a sluice coroutine ran outside of a shard; start it with sluice::run() or Engine::block_on()",
      __FILE__, __LINE__);
}

void two_waiters_at_one_place() {
  base::check_failed("two tasks wait for the same thing at the same time, for instance for the same response's body",
                     __FILE__, __LINE__);
}

}  // namespace sluice::detail
