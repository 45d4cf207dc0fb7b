// SPDX-License-Identifier: MIT
#include "engine/coro/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

#include <sluice/detail/executor.hpp>
#include <sluice/time.hpp>

namespace sluice::detail {
namespace {

constexpr unsigned kTickBits = 16;
constexpr std::uint64_t kTickMask = (std::uint64_t{1} << kTickBits) - 1;
constexpr std::uint64_t kLastTick =
    static_cast<std::uint64_t>(TimePoint::max().time_since_epoch().count()) >> kTickBits;
static_assert(std::is_same_v<Duration, std::chrono::nanoseconds>);

std::uint64_t nanoseconds(TimePoint time) noexcept {
  return static_cast<std::uint64_t>(std::max(time.time_since_epoch(), Duration::zero()).count());
}

TimePoint time_of(std::uint64_t tick) noexcept {
  return TimePoint(Duration(static_cast<Duration::rep>(tick << kTickBits)));
}

}  // namespace

constinit thread_local TimerWheel* current_timer_wheel = nullptr;

// ---- Timer

void Timer::arm(TimePoint deadline) {
  if (current_timer_wheel == nullptr) [[unlikely]]
    no_shard_on_this_thread();
  disarm();
  current_timer_wheel->insert(*this, deadline);
}

void Timer::disarm() noexcept {
  if (armed()) wheel_->remove(*this);
}

// ---- time.hpp

TimePoint now() {
  if (current_timer_wheel == nullptr) [[unlikely]]
    no_shard_on_this_thread();
  return current_timer_wheel->now();
}

TimePoint deadline_after(Duration duration) {
  TimePoint start = now();
  return duration < TimePoint::max() - start ? start + duration : TimePoint::max();
}

// ---- TimerWheel

TimerWheel::TimerWheel(TimePoint now, ClockFunction clock) : clock_(clock), now_(tick_at(now)) {}

TimerWheel::~TimerWheel() {
  for (Timer*& first : buckets_) {
    while (first != nullptr) remove(*first);
  }
}

TimerWheel::Tick TimerWheel::tick_at(TimePoint time) noexcept {
  return nanoseconds(time) >> kTickBits;
}

TimerWheel::Tick TimerWheel::tick_not_before(TimePoint deadline) noexcept {
  std::uint64_t value = nanoseconds(deadline);
  return std::min((value >> kTickBits) + ((value & kTickMask) != 0 ? 1 : 0), kLastTick);
}

void TimerWheel::insert(Timer& timer, TimePoint deadline) noexcept {
  timer.wheel_ = this;
  timer.deadline_tick_ = std::max(tick_not_before(deadline), now_);
  link(timer, bucket_of(timer.deadline_tick_));
  ++size_;
}

void TimerWheel::remove(Timer& timer) noexcept {
  unlink(timer);
  timer.wheel_ = nullptr;
  --size_;
}

unsigned TimerWheel::bucket_of(Tick tick) const noexcept {
  Tick difference = (tick ^ now_) | 1;
  unsigned level = (static_cast<unsigned>(std::bit_width(difference)) - 1) / kDigitBits;
  auto digit = static_cast<unsigned>(tick >> (level * kDigitBits)) % kBucketsPerLevel;
  return level * kBucketsPerLevel + digit;
}

void TimerWheel::link(Timer& timer, unsigned bucket) noexcept {
  timer.bucket_ = bucket;
  Timer*& first = buckets_[bucket];
  if (first == nullptr) {
    first = timer.next_ = timer.previous_ = &timer;
    if (bucket != kDueBucket)
      occupied_[bucket / kBucketsPerLevel] |= std::uint64_t{1} << (bucket % kBucketsPerLevel);
    return;
  }
  timer.next_ = first;
  timer.previous_ = first->previous_;
  timer.previous_->next_ = &timer;
  first->previous_ = &timer;
}

void TimerWheel::unlink(Timer& timer) noexcept {
  unsigned bucket = timer.bucket_;
  Timer*& first = buckets_[bucket];
  if (timer.next_ == &timer) {
    first = nullptr;
    if (bucket != kDueBucket)
      occupied_[bucket / kBucketsPerLevel] &= ~(std::uint64_t{1} << (bucket % kBucketsPerLevel));
    return;
  }
  timer.previous_->next_ = timer.next_;
  timer.next_->previous_ = timer.previous_;
  if (first == &timer) first = timer.next_;
}

std::optional<TimerWheel::Place> TimerWheel::earliest() const noexcept {
  auto occupied =
      std::find_if(occupied_.begin(), occupied_.end(), [](std::uint64_t bits) { return bits != 0; });
  if (occupied == occupied_.end()) return std::nullopt;
  auto level = static_cast<unsigned>(occupied - occupied_.begin());
  auto digit = static_cast<unsigned>(std::countr_zero(*occupied));
  unsigned shift = level * kDigitBits;
  Tick above = now_ >> shift >> kDigitBits << kDigitBits;  // the wheel's digits above this level
  return Place{level * kBucketsPerLevel + digit, (above | digit) << shift};
}

std::optional<TimePoint> TimerWheel::next_deadline() const {
  if (buckets_[kDueBucket] != nullptr) return time_of(now_);
  auto place = earliest();
  if (!place) return std::nullopt;
  return time_of(place->start);
}

/// Empties every bucket that starts by `now`, in order: level 0 is due, what stands above moves down.
void TimerWheel::collect_due(Tick now) noexcept {
  while (auto place = earliest()) {
    if (place->start > now) break;
    now_ = place->start;
    while (Timer* timer = buckets_[place->bucket]) {
      unlink(*timer);
      link(*timer, place->bucket < kBucketsPerLevel ? kDueBucket : bucket_of(timer->deadline_tick_));
    }
  }
  now_ = now;
}

/// Callbacks come last, when the wheel is in order: they may do anything to it. One that throws leaves the
/// rest due.
void TimerWheel::fire_due() {
  while (Timer* timer = buckets_[kDueBucket]) {
    remove(*timer);
    timer->expired_(*timer);
  }
}

void TimerWheel::advance(TimePoint now) {
  collect_due(std::max(tick_at(now), now_));
  fire_due();
}

}  // namespace sluice::detail
