// SPDX-License-Identifier: MIT
#include "engine/coro/timer_wheel.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kTick = 1 << 16;

/// A timer that notes in a log that it fired.
class LoggedTimer : public Timer {
 public:
  LoggedTimer(std::vector<int>& log, int id) : Timer(&fire), log_(&log), id_(id) {}

 private:
  static void fire(Timer& timer) {
    auto& self = static_cast<LoggedTimer&>(timer);
    self.log_->push_back(self.id_);
  }
  std::vector<int>* log_;
  int id_;
};

/// A timer that calls something.
class CallTimer : public Timer {
 public:
  explicit CallTimer(std::function<void()> call) : Timer(&fire), call_(std::move(call)) {}

 private:
  static void fire(Timer& timer) {
    std::function<void()> call = static_cast<CallTimer&>(timer).call_;  // may destroy the timer
    call();
  }
  std::function<void()> call_;
};

class TimerWheelTest : public ::testing::Test {
 protected:
  TimerWheelTest() { current_timer_wheel = &wheel_; }
  ~TimerWheelTest() override { current_timer_wheel = nullptr; }

  void advance(Duration duration) {
    now_ += duration;
    wheel_.advance(now_);
  }

  TimePoint now_ = TimePoint(12345678ns);
  TimerWheel wheel_{now_};
  std::vector<int> log_;
};

TEST_F(TimerWheelTest, FiresOnceAndNeverEarly) {
  LoggedTimer timer(log_, 1);
  TimePoint deadline = now_ + 10ms;
  timer.arm(deadline);
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(wheel_.size(), 1U);
  wheel_.advance(deadline - 1ns);
  EXPECT_TRUE(log_.empty());
  wheel_.advance(deadline + Duration(kTick));
  EXPECT_EQ(log_, std::vector<int>{1});
  EXPECT_FALSE(timer.armed());
  EXPECT_TRUE(wheel_.empty());
  EXPECT_FALSE(wheel_.next_deadline());
  wheel_.advance(deadline + 1h);
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(TimerWheelTest, PastDeadlineIsDueInTheNextAdvance) {
  LoggedTimer past(log_, 1), ancient(log_, 2), before_the_epoch(log_, 3);
  past.arm(now_ - 1s);
  ancient.arm(TimePoint());
  before_the_epoch.arm(TimePoint::min());
  EXPECT_LE(*wheel_.next_deadline(), now_);
  wheel_.advance(now_);
  EXPECT_EQ(log_, (std::vector<int>{1, 2, 3}));
}

TEST_F(TimerWheelTest, FiresInOrderOfDeadlinesAndThenOfArming) {
  LoggedTimer late(log_, 1), early(log_, 2), twin(log_, 3), year(log_, 4);
  late.arm(now_ + 30s);
  early.arm(now_ + 1s);
  year.arm(now_ + 24h * 365);
  advance(29s);
  twin.arm(now_ + 1s);  // the same tick as `late`, armed later and from closer by
  advance(2s);
  EXPECT_EQ(log_, (std::vector<int>{2, 1, 3}));
  advance(24h * 366);
  EXPECT_EQ(log_.back(), 4);
}

TEST_F(TimerWheelTest, FarthestDeadlineIsInReach) {
  LoggedTimer timer(log_, 1);
  timer.arm(TimePoint::max());
  advance(24h * 365 * 100);
  EXPECT_TRUE(log_.empty());
  EXPECT_GT(*wheel_.next_deadline(), now_);
  wheel_.advance(TimePoint::max());
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(TimerWheelTest, RearmingMovesADeadline) {
  LoggedTimer timer(log_, 1);
  timer.arm(now_ + 1s);
  timer.arm(now_ + 1h);
  EXPECT_EQ(wheel_.size(), 1U);
  advance(30min);
  EXPECT_TRUE(log_.empty());
  timer.arm(now_ + 1ms);
  advance(2ms);
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(TimerWheelTest, DisarmNeedsNoCurrentWheel) {
  LoggedTimer timer(log_, 1);
  timer.arm(now_ + 1s);
  current_timer_wheel = nullptr;
  timer.disarm();
  timer.disarm();
  EXPECT_TRUE(wheel_.empty());
  EXPECT_FALSE(wheel_.next_deadline());
}

TEST_F(TimerWheelTest, TimeThatGoesBackwardsIsIgnored) {
  LoggedTimer timer(log_, 1);
  advance(1h);
  wheel_.advance(now_ - 30min);
  timer.arm(now_ - 10min);
  EXPECT_EQ(wheel_.next_deadline(), TimePoint(now_.time_since_epoch() / kTick * kTick));
  wheel_.advance(now_ - 30min);
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(TimerWheelTest, CallbackRearmsItselfForLaterAdvances) {
  int fired = 0;
  CallTimer timer([&] {
    ++fired;
    timer.arm(TimePoint());  // long past: not in the same advance
  });
  timer.arm(now_ + 1ms);
  advance(1s);
  EXPECT_EQ(fired, 1);
  wheel_.advance(now_);
  EXPECT_EQ(fired, 2);
}

TEST_F(TimerWheelTest, CallbackDisarmsAndDestroysOthersThatAreDue) {
  auto victim = std::make_unique<LoggedTimer>(log_, 1);
  LoggedTimer disarmed(log_, 2), kept(log_, 3), postponed(log_, 4);
  CallTimer killer([&] {
    victim.reset();
    disarmed.disarm();
    postponed.arm(now_ + 1h);
  });
  killer.arm(now_ + 1ms);
  victim->arm(now_ + 2ms);
  disarmed.arm(now_ + 1ms);
  kept.arm(now_ + 3ms);
  postponed.arm(now_ + 2ms);
  advance(10ms);
  EXPECT_EQ(log_, std::vector<int>{3});
  advance(2h);
  EXPECT_EQ(log_, (std::vector<int>{3, 4}));
}

TEST_F(TimerWheelTest, CallbackDestroysItsOwnTimer) {
  std::unique_ptr<CallTimer> timer;
  timer = std::make_unique<CallTimer>([&] { timer.reset(); });
  timer->arm(now_ + 1ms);
  advance(1s);
  EXPECT_EQ(timer, nullptr);
  EXPECT_TRUE(wheel_.empty());
}

TEST(TimerWheelLifeTest, DestroyingTheWheelDisarmsItsTimers) {
  std::vector<int> log;
  LoggedTimer timer(log, 1), far(log, 2);
  {
    TimerWheel wheel{TimePoint()};
    current_timer_wheel = &wheel;
    timer.arm(TimePoint(1s));
    far.arm(TimePoint::max());
    current_timer_wheel = nullptr;
  }
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(far.armed());
}

TEST(TimerWheelLifeTest, ArmingOutsideOfAShardAborts) {
  std::vector<int> log;
  LoggedTimer timer(log, 1);
  EXPECT_DEATH(timer.arm(TimePoint()), "outside of a shard");
}

/// The obvious timers: a list of ticks. Rounds as the wheel promises to.
class NaiveModel {
 public:
  explicit NaiveModel(std::size_t timers) : deadlines_(timers, kUnarmed) {}

  static std::int64_t round_up(TimePoint deadline) {
    return (deadline.time_since_epoch().count() + kTick - 1) / kTick;
  }
  void arm(std::size_t timer, TimePoint deadline) {
    deadlines_[timer] = std::max(round_up(deadline), now_);
    order_[timer] = ++armed_;
  }
  void disarm(std::size_t timer) { deadlines_[timer] = kUnarmed; }
  std::vector<int> advance(TimePoint now) {
    now_ = now.time_since_epoch().count() / kTick;
    std::vector<int> due;
    for (std::size_t i = 0; i < deadlines_.size(); ++i)
      if (deadlines_[i] <= now_) due.push_back(static_cast<int>(i));
    auto earlier = [this](int left, int right) { return key(left) < key(right); };
    std::sort(due.begin(), due.end(), earlier);
    for (int timer : due) disarm(static_cast<std::size_t>(timer));
    return due;
  }
  std::int64_t earliest() const { return *std::min_element(deadlines_.begin(), deadlines_.end()); }

  static constexpr std::int64_t kUnarmed = std::numeric_limits<std::int64_t>::max();

 private:
  std::pair<std::int64_t, std::uint64_t> key(int timer) {
    return {deadlines_[static_cast<std::size_t>(timer)], order_[static_cast<std::size_t>(timer)]};
  }
  std::vector<std::int64_t> deadlines_;
  std::vector<std::uint64_t> order_ = std::vector<std::uint64_t>(deadlines_.size());
  std::uint64_t armed_ = 0;
  std::int64_t now_ = 0;
};

class TimerWheelModelTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(TimerWheelModelTest, AgreesWithTheNaiveModel) {
  constexpr std::size_t kTimers = 40;
  std::mt19937_64 random(GetParam());
  auto pick = [&](std::uint64_t limit) { return random() % limit; };
  auto duration = [&] {
    return Duration(static_cast<std::int64_t>(random() >> (8 + pick(56))));
  };  // any magnitude

  TimePoint now = TimePoint(Duration(static_cast<std::int64_t>(pick(1ULL << 40))));
  TimerWheel wheel(now);
  current_timer_wheel = &wheel;
  NaiveModel model(kTimers);
  EXPECT_TRUE(model.advance(now).empty());

  std::vector<int> log;
  std::vector<std::unique_ptr<LoggedTimer>> timers;
  for (std::size_t i = 0; i < kTimers; ++i)
    timers.push_back(std::make_unique<LoggedTimer>(log, static_cast<int>(i)));

  for (int round = 0; round < 4000 && now < TimePoint(24h * 365 * 100); ++round) {
    std::size_t timer = pick(kTimers);
    if (auto what = pick(8); what < 4) {
      TimePoint deadline =
          pick(8) == 0 ? now - std::min(duration(), now.time_since_epoch()) : now + duration();
      timers[timer]->arm(deadline);
      model.arm(timer, deadline);
    } else if (what < 6) {
      timers[timer]->disarm();
      model.disarm(timer);
    } else {
      auto next = wheel.next_deadline();
      ASSERT_EQ(next.has_value(), model.earliest() != NaiveModel::kUnarmed);
      if (next) {
        ASSERT_LE(next->time_since_epoch().count() / kTick, model.earliest());
      }
      if (next && pick(2) == 0)
        now = std::max(now, *next);
      else
        now += duration() / 16;
      log.clear();
      wheel.advance(now);
      ASSERT_EQ(log, model.advance(now));
    }
  }
  std::size_t turns = 0;  // to the end by next_deadline() alone: each step makes progress
  while (auto next = wheel.next_deadline()) {
    now = std::max(now, *next);
    log.clear();
    wheel.advance(now);
    ASSERT_EQ(log, model.advance(now));
    ASSERT_LT(++turns, kTimers * 9);
  }
  EXPECT_TRUE(wheel.empty());
  current_timer_wheel = nullptr;
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelModelTest, ::testing::Range(1U, 21U));

}  // namespace
}  // namespace sluice::detail
