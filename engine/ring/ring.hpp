// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include <sys/socket.h>

#include <sluice/result.hpp>

#include "engine/ring/abi.hpp"
#include "engine/ring/operation.hpp"

namespace sluice::ring {

/// How long to wait for completions.
struct Wait {
  unsigned completions = 0;            ///< return when so many are there; 0: do not wait
  std::chrono::microseconds batch{0};  ///< after this long, one completion is enough
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;  ///< after this long, none is enough
};

/// One io_uring, used by the thread that opened it. Knows operations, counts them, and hands completions to
/// their handlers; knows nothing of buffers, timers or sockets.
class Ring {
 public:
  struct Counters {
    std::uint64_t started = 0;    ///< operations handed to the ring
    std::uint64_t finished = 0;   ///< operations whose last completion has been handled
    std::uint64_t enters = 0;     ///< io_uring_enter system calls
    std::uint64_t overflows = 0;  ///< turns in which the kernel had to keep completions outside of the queue
  };

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { close(); }

  /// Sets the ring up. Errors: system_error with a sentence that says what the machine refuses and what to
  /// do.
  Result<void> open(unsigned entries);
  void close();

  // Starting operations. Each takes the next submission entry, submitting first when the queue is full; none
  // fails.
  void receive_multishot(Operation& operation, int fd, std::uint16_t buffer_group);
  /// One receive of at most `most` bytes into a provided buffer.
  void receive_once(Operation& operation, int fd, std::uint16_t buffer_group, std::uint32_t most);
  /// One receive of at most `most` bytes that the kernel throws away. TCP only.
  void receive_discarding(Operation& operation, int fd, std::uint32_t most);
  void send(Operation& operation, int fd, std::span<const char> bytes);
  void send_message(Operation& operation, int fd, const msghdr& message);
  void connect(Operation& operation, int fd, const sockaddr& address, socklen_t size);
  void accept_multishot(Operation& operation, int fd);
  void read(Operation& operation, int fd, std::span<char> bytes, std::uint64_t offset = 0);
  void await_writable(Operation& operation, int fd);
  /// Asks the kernel to end an operation early. The operation's own completion says what became of it.
  void cancel(const Operation& operation);

  /// Submits what was started and waits. Returns when `wait` is satisfied, on a signal, or when the kernel
  /// wants completions to be reaped first.
  void submit_and_wait(const Wait& wait);
  /// Hands up to `budget` completions to their handlers; returns how many.
  unsigned reap(unsigned budget);
  bool has_completions() const;

  std::uint64_t in_flight() const noexcept { return counters_.started - counters_.finished; }
  const Counters& counters() const noexcept { return counters_; }
  io_uring* raw() noexcept { return &ring_; }
  bool has_minimum_wait() const noexcept { return has_minimum_wait_; }
  /// Sends started since the last submit: their completions are usually posted by the submitting call itself.
  unsigned fresh_sends() const noexcept { return fresh_sends_; }

 private:
  io_uring_sqe& next_entry();
  io_uring_sqe& start(Operation& operation);
  unsigned publish_entries();
  void enter(unsigned to_submit, const Wait& wait);
  void dispatch(std::uint64_t user_data, std::int32_t result, std::uint32_t flags);

  io_uring ring_{};
  bool open_ = false;
  bool registered_ = false;
  bool has_minimum_wait_ = false;
  unsigned fresh_sends_ = 0;
  Counters counters_;
};

}  // namespace sluice::ring
