// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <sluice/detail/timer.hpp>

namespace sluice::detail {

/// The timers of one shard: a hierarchical wheel of eight levels with 64 buckets each, in ticks of 2^16 ns
/// (65.5 us). Together they span every TimePoint, so no deadline is out of reach.
///
/// A timer stands on the level of the highest digit (base 64) in which its tick differs from the wheel's, so
/// the first occupied bucket of the lowest occupied level is always the earliest, and two bit scans find it.
/// When time enters a bucket above level 0, its timers move down. Deadlines are rounded up to a tick: nothing
/// fires early. Timers fire in order of their ticks, those of one tick in the order in which they were armed.
///
/// Ownership: timers belong to whoever armed them; the wheel only links them. Used by one thread.
class TimerWheel {
 public:
  using ClockFunction = TimePoint (*)();

  /// `clock` is what sluice's waits measure from on this shard; tests give a virtual one.
  explicit TimerWheel(TimePoint now, ClockFunction clock = &Clock::now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  /// Disarms all timers.
  ~TimerWheel();

  /// Fires every timer that is due. A callback may arm, disarm and destroy any timer, its own included; what
  /// it arms fires in a later advance() at the earliest, however old the deadline. Time that goes backwards
  /// is ignored.
  void advance(TimePoint now);

  /// When advance() has something to do next: the earliest deadline (as rounded), or before that the time at
  /// which its timer moves down a level. Null when no timer is armed.
  std::optional<TimePoint> next_deadline() const;

  bool empty() const noexcept { return size_ == 0; }
  /// How many timers are armed.
  std::size_t size() const noexcept { return size_; }
  TimePoint now() const { return clock_(); }

 private:
  friend class Timer;
  using Tick = std::uint64_t;

  static constexpr unsigned kDigitBits = 6;
  static constexpr unsigned kBucketsPerLevel = 1U << kDigitBits;
  static constexpr unsigned kLevels = 8;
  static constexpr unsigned kDueBucket = kLevels * kBucketsPerLevel;  // those that advance() is about to fire

  struct Place {
    unsigned bucket;
    Tick start;
  };

  static Tick tick_at(TimePoint time) noexcept;
  static Tick tick_not_before(TimePoint deadline) noexcept;

  void insert(Timer& timer, TimePoint deadline) noexcept;
  void remove(Timer& timer) noexcept;
  unsigned bucket_of(Tick tick) const noexcept;
  void link(Timer& timer, unsigned bucket) noexcept;
  void unlink(Timer& timer) noexcept;
  std::optional<Place> earliest() const noexcept;
  void collect_due(Tick now) noexcept;
  void fire_due();

  ClockFunction clock_;
  Tick now_;
  std::size_t size_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};  // per level, one bit for each bucket that is not empty
  std::array<Timer*, kDueBucket + 1> buckets_{};   // the first of each bucket's ring of timers
};

}  // namespace sluice::detail
