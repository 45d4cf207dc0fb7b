// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/shard.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/coro/timer_wheel.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/mailbox.hpp"
#include "engine/ring/ring.hpp"

namespace sluice::ring {

/// Something of a higher layer that holds operations of a loop for longer than a task: a pool, a listener.
/// When the loop shuts down it must start to end them all, and must not start new ones.
class Resident : public base::ListNode {
 public:
  virtual void shut_down() = 0;

 protected:
  ~Resident() = default;
};

/// What a shard is made of: one ring, its buffers, its timers, its ready list, its mailbox; and the loop over
/// them.
class Loop {
 public:
  /// Sets everything up on the thread that will run the loop. Errors: system_error.
  static Result<std::unique_ptr<Loop>> open(const ShardOptions& options);
  /// Ends what is still in flight, checks every ledger, closes the ring.
  ~Loop();

  /// The loop that runs on this thread; aborts with a sentence when there is none.
  static Loop& current();

  bool is_current() const noexcept;

  /// Handles what happened while nobody turned the loop, without waiting: connections may have ended.
  void catch_up();
  /// Turns until `done` is true.
  void run_until(const bool& done);
  /// One turn, which waits for an event until `deadline` at most.
  void turn(TimePoint deadline);

  Ring& ring() noexcept { return ring_; }
  BufferRing& buffers() noexcept { return *buffers_; }
  Mailbox& mailbox() noexcept { return mailbox_; }
  /// The time at which this turn's completions were reaped. For what needs no better than a turn's length.
  TimePoint now() const noexcept { return now_; }
  const ShardOptions& options() const noexcept { return options_; }

  void add_resident(Resident& resident) noexcept { residents_.push_back(resident); }

  /// How many receivers expect a few bytes soon, such as replies: what a batch of completions is sized by.
  void receiver_waits() noexcept { ++waiting_receivers_; }
  void receiver_served() noexcept { --waiting_receivers_; }

  // Ledgers, all zero when the loop is idle.
  void socket_opened() noexcept { ++open_sockets_; }
  void socket_closed() noexcept { --open_sockets_; }
  std::uint64_t open_sockets() const noexcept { return open_sockets_; }

 private:
  friend class Activation;

  explicit Loop(const ShardOptions& options);
  Result<void> set_up();
  void shut_down();

  template <class Condition>
  void turn_until(Condition met);

  // The steps of a turn.
  void run_what_is_ready();
  void fire_timers();
  void wait_for_completions(const Wait& wait);
  void reap_completions();
  Wait plan_wait(std::optional<TimePoint> deadline = std::nullopt);
  void emulate_minimum_wait(Wait& wait);

  ShardOptions options_;
  detail::ReadyList ready_;
  detail::TimerWheel timers_;
  Ring ring_;
  BufferRing* buffers_ = nullptr;  // frees itself once closed and unused
  Mailbox mailbox_;
  base::List<Resident> residents_;
  TimePoint now_;
  std::uint64_t open_sockets_ = 0;
  std::uint32_t waiting_receivers_ = 0;
  bool last_wait_ran_dry_ = false;
  bool set_up_ = false;
};

/// Makes a loop the current one of this thread for a scope.
class Activation {
 public:
  explicit Activation(Loop& loop) noexcept;
  Activation(const Activation&) = delete;
  Activation& operator=(const Activation&) = delete;
  ~Activation();

 private:
  Loop* previous_loop_;
  detail::ReadyList* previous_ready_list_;
  detail::TimerWheel* previous_timer_wheel_;
};

}  // namespace sluice::ring
