// SPDX-License-Identifier: MIT
#include "tools/command/stop.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <pthread.h>
#include <unistd.h>

#include <sluice/detail/executor.hpp>

#include "tools/command/failure.hpp"

namespace sluice::command {

// ---- StopSignal

struct StopSignal::Waiter {
  explicit Waiter(Shard& its_shard) : shard(&its_shard) {}
  Shard* shard;
  detail::WaitPoint point;
};

/// A waiter's place in the list, until it is told or cancelled.
class StopSignal::Registration {
 public:
  Registration(StopSignal& signal, Shard& shard)
      : signal_(&signal), waiter_(std::make_shared<Waiter>(shard)) {
    std::lock_guard lock(signal_->mutex_);
    already_ = signal_->requested_;
    signal_->waiters_.push_back(waiter_);
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    std::lock_guard lock(signal_->mutex_);
    std::erase(signal_->waiters_, waiter_);
  }

  bool already_requested() const { return already_; }
  detail::WaitPoint::Awaiter wait() { return waiter_->point.wait(); }

 private:
  StopSignal* signal_;
  std::shared_ptr<Waiter> waiter_;
  bool already_ = false;
};

void StopSignal::request() {
  std::lock_guard lock(mutex_);  // a registered waiter's shard is alive
  requested_ = true;
  for (const std::shared_ptr<Waiter>& waiter : waiters_)
    waiter->shard->post([waiter] { waiter->point.notify(); });
}

Task<void> StopSignal::wait(Shard& shard) {
  Registration registration(*this, shard);
  if (!registration.already_requested()) co_await registration.wait();
}

// ---- SignalThread

namespace {

constexpr int kEndThread = SIGUSR1;

sigset_t waited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, kEndThread}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void block_signals() {
  sigset_t signals = waited_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

SignalThread::SignalThread(std::function<void()> on_stop, std::function<void()> on_tick,
                           std::chrono::milliseconds interval)
    : on_stop_(std::move(on_stop)),
      on_tick_(std::move(on_tick)),
      interval_(interval),
      thread_([this] { live(); }) {}

SignalThread::~SignalThread() {
  pthread_kill(thread_.native_handle(), kEndThread);
  thread_.join();
}

void SignalThread::live() {
  sigset_t signals = waited_signals();
  timespec interval{interval_.count() / 1000, interval_.count() % 1000 * 1'000'000};
  bool stopping = false;
  for (;;) {
    int signal = on_tick_ ? sigtimedwait(&signals, nullptr, &interval) : sigwaitinfo(&signals, nullptr);
    if (signal == kEndThread) return;
    if (signal < 0) {
      if (errno == EAGAIN) on_tick_();
      continue;
    }
    if (stopping) _exit(kInterrupted);
    stopping = true;
    on_stop_();
  }
}

}  // namespace sluice::command
