// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "engine/base/check.hpp"

namespace sluice::ring {

/// What the kernel said of an operation: one completion queue entry.
struct Completion {
  std::int32_t result;  ///< the system call's result, or -errno
  bool more;            ///< further completions of this operation follow (multishot)
  bool has_buffer;      ///< a provided buffer was consumed
  std::uint16_t buffer_id;
};

/// An operation of the ring. Embedded in the object that owns every byte the kernel may touch on its behalf;
/// that object may die only once in_flight() is false, which the destructor checks. An operation may be
/// started again after its last completion.
class Operation {
 public:
  /// Called from the reaping step of the loop. It stores and queues; it never runs user code. At the last
  /// completion in_flight() is already false, and the handler may destroy the operation.
  using Handler = void (*)(Operation&, Completion);

  explicit Operation(Handler handler) noexcept : handler_(handler) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { base::check(!in_flight_, "an operation was destroyed while the kernel still holds it"); }

  bool in_flight() const noexcept { return in_flight_; }

 private:
  friend class Ring;

  Handler handler_;
  std::uint16_t generation_ = 0;  // of the current start; a completion of another one is a broken invariant
  bool in_flight_ = false;
};

}  // namespace sluice::ring
