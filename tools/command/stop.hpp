// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <sluice/shard.hpp>
#include <sluice/task.hpp>

namespace sluice::command {

/// Tells tasks on any number of shards that it is time to stop.
class StopSignal {
 public:
  /// Any thread.
  void request();
  /// Ends when a stop is requested. On that shard.
  Task<void> wait(Shard& shard);

 private:
  struct Waiter;
  class Registration;

  std::mutex mutex_;
  bool requested_ = false;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

/// Keeps SIGINT and SIGTERM for a SignalThread. First thing in main(), before there are threads.
void block_signals();

/// A thread that waits for SIGINT and SIGTERM. The first calls `on_stop`, the second ends the process. In
/// between it calls `on_tick`, if there is one, at regular intervals.
class SignalThread {
 public:
  explicit SignalThread(std::function<void()> on_stop, std::function<void()> on_tick = nullptr,
                        std::chrono::milliseconds interval = std::chrono::milliseconds(200));
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;
  ~SignalThread();

 private:
  void live();

  std::function<void()> on_stop_;
  std::function<void()> on_tick_;
  std::chrono::milliseconds interval_;
  std::thread thread_;
};

}  // namespace sluice::command
