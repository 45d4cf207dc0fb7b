// SPDX-License-Identifier: MIT
#include "engine/ring/loop.hpp"

#include <algorithm>

#include "engine/base/check.hpp"

namespace sluice::ring {
namespace {

constinit thread_local Loop* current_loop = nullptr;

// A turn runs and reaps at most so much before it looks at the other side again: neither ready tasks nor
// arriving data can starve the rest.
constexpr std::size_t kReadyBudget = 4096;
constexpr unsigned kCompletionBudget = 4096;

// A batch is a quarter of the receivers that wait, so that a wake-up serves several of them, but never so
// many that replies lie about while the peers have nothing to do.
constexpr unsigned kBatchShare = 4;
constexpr unsigned kLargestBatch = 32;

constexpr std::chrono::hours kLongWait{1};

}  // namespace

Activation::Activation(Loop& loop) noexcept
    : previous_loop_(std::exchange(current_loop, &loop)),
      previous_ready_list_(std::exchange(detail::current_ready_list, &loop.ready_)),
      previous_timer_wheel_(std::exchange(detail::current_timer_wheel, &loop.timers_)) {}

Activation::~Activation() {
  current_loop = previous_loop_;
  detail::current_ready_list = previous_ready_list_;
  detail::current_timer_wheel = previous_timer_wheel_;
}

Loop& Loop::current() {
  if (current_loop == nullptr) detail::no_shard_on_this_thread();
  return *current_loop;
}

bool Loop::is_current() const noexcept {
  return current_loop == this;
}

Loop::Loop(const ShardOptions& options) : options_(options), timers_(Clock::now()), now_(Clock::now()) {}

Result<std::unique_ptr<Loop>> Loop::open(const ShardOptions& options) {
  std::unique_ptr<Loop> loop(new Loop(options));
  if (auto opened = loop->set_up(); !opened) return std::move(opened).error();
  return loop;
}

Result<void> Loop::set_up() {
  if (auto opened = ring_.open(options_.ring_entries); !opened) return opened;
  if (auto opened = mailbox_.open(); !opened) return opened;
  auto buffers = BufferRing::open(
      *ring_.raw(), {options_.buffers.count, options_.buffers.size_bytes, options_.buffers.hot_bytes},
      [](void* mailbox) { static_cast<Mailbox*>(mailbox)->wake(); }, &mailbox_);
  if (!buffers) return std::move(buffers).error();
  buffers_ = *buffers;
  mailbox_.watch(ring_);
  set_up_ = true;
  return {};
}

template <class Condition>
void Loop::turn_until(Condition met) {
  while (!met()) {
    run_what_is_ready();
    // What has just run may have been all there was to wait for; what it started is submitted all the same.
    wait_for_completions(met() ? Wait() : plan_wait());
    reap_completions();
  }
}

Loop::~Loop() {
  if (set_up_) shut_down();
}

void Loop::shut_down() {
  Activation activation(*this);
  while (!residents_.empty()) {
    Resident& resident = residents_.front();
    resident.unlink();
    resident.shut_down();
  }
  mailbox_.close(ring_);
  turn_until([this] { return ring_.in_flight() == 0 && ready_.empty(); });
  mailbox_.deliver();
  base::check(open_sockets_ == 0, "a socket outlives its shard");
  base::check(ring_.counters().started == ring_.counters().finished,
              "operations and completions do not balance");
  buffers_->close();
}

void Loop::run_until(const bool& done) {
  turn_until([&done] { return done; });
}

void Loop::turn(TimePoint deadline) {
  run_what_is_ready();
  wait_for_completions(plan_wait(deadline));
  reap_completions();
}

void Loop::catch_up() {
  wait_for_completions(Wait());
  reap_completions();
}

void Loop::run_what_is_ready() {
  mailbox_.deliver();
  fire_timers();
  ready_.run(kReadyBudget);
  buffers_->return_batch();
}

void Loop::fire_timers() {
  if (!timers_.empty()) timers_.advance(Clock::now());
}

Wait Loop::plan_wait(std::optional<TimePoint> deadline) {
  Wait wait;
  if (!ready_.empty() || ring_.has_completions() || !mailbox_.try_sleep()) return wait;
  if (buffers_->returned_elsewhere()) return wait;  // after sleep was announced, as with messages

  if (auto timer = timers_.next_deadline(); timer && (!deadline || *timer < *deadline)) deadline = timer;
  if (deadline) wait.timeout = std::max(*deadline - Clock::now(), Duration::zero());

  // Completions of fresh sends come with the submission itself; waiting for a reply means waiting for one
  // more.
  unsigned batch = std::clamp(waiting_receivers_ / kBatchShare, 1U, kLargestBatch);
  wait.completions = ring_.fresh_sends() + batch;
  wait.batch = options_.batch_wait;
  if (!ring_.has_minimum_wait()) emulate_minimum_wait(wait);
  if (wait.completions == 1 || wait.batch.count() == 0) {
    wait.completions = 1;
    wait.batch = {};
  } else if (!wait.timeout) {
    wait.timeout = kLongWait;  // without one, the kernel returns after the minimum wait even if nothing came
  }
  return wait;
}

/// Before kernel 6.12: wait for the batch with the batch's time limit; if nothing came, wait for one
/// completion.
void Loop::emulate_minimum_wait(Wait& wait) {
  bool plain = wait.completions == 1 || wait.batch.count() == 0 || last_wait_ran_dry_;
  if (plain) {
    wait.completions = 1;
  } else {
    std::chrono::nanoseconds limit = wait.batch;
    wait.timeout = wait.timeout ? std::min(*wait.timeout, limit) : limit;
  }
}

void Loop::wait_for_completions(const Wait& wait) {
  ring_.submit_and_wait(wait);
  mailbox_.awake();
  now_ = Clock::now();
}

void Loop::reap_completions() {
  last_wait_ran_dry_ = ring_.reap(kCompletionBudget) == 0;
}

}  // namespace sluice::ring
