// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

#include <sluice/detail/timer.hpp>

namespace sluice::net {

/// Makes fast transfers cheap: the kernel may gather bytes (SO_RCVLOWAT) before it wakes the shard, which
/// saves wake-ups and window updates. It begins once a connection has brought kMarkBytes within kPatience,
/// and ends as soon as it does not any more, so no byte is held back longer than that. What nobody waits for,
/// because it is discarded, is gathered from the start and with more patience.
///
/// docs/performance.md has what it saves.
class Gathering {
 public:
  static constexpr std::uint32_t kMarkBytes = 1024 * 1024;
  static constexpr Duration kPatience = std::chrono::milliseconds(8);
  static constexpr Duration kDiscardPatience = std::chrono::milliseconds(50);

  Gathering() noexcept;
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  /// For this TCP socket from now on. Sockets of other kinds gather nothing.
  void enable(int fd) noexcept { fd_ = fd; }
  /// Not any more, before anything was expected.
  void disable() noexcept { fd_ = -1; }
  /// A reader waits, and so many bytes will certainly come unless the peer breaks off.
  void expect(std::uint64_t bytes);
  /// The same for bytes that nobody wants.
  void expect_to_discard(std::uint64_t bytes);
  void note_received(std::uint64_t bytes, TimePoint now);

 private:
  struct Tick : detail::Timer {
    Tick(Gathering& owner, Function function) noexcept : Timer(function), gathering(&owner) {}
    Gathering* gathering;
  };

  void start(std::uint32_t mark_bytes, Duration patience);
  void look_again();
  void stop();
  void set_mark(std::uint32_t bytes);

  int fd_ = -1;
  std::uint32_t mark_bytes_ = 1;  // the kernel's low water mark
  std::uint64_t expected_bytes_ = 0;
  std::uint64_t recent_bytes_ = 0;  // since recent_start_, or since the last tick
  TimePoint recent_start_{};
  Duration patience_{};
  Tick tick_;
};

}  // namespace sluice::net
