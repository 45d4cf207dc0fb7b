// SPDX-License-Identifier: MIT
#include <condition_variable>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <sluice/engine.hpp>
#include <sluice/error.hpp>

#include "engine/base/check.hpp"
#include "engine/base/system_error.hpp"

namespace sluice {

/// A thread with a shard. It waits for jobs, which run the shard's loop, and has nothing to do between them.
class Engine::Member {
 public:
  using Job = std::function<void(Shard&)>;

  void start(unsigned index, const ShardOptions& options, std::latch& started) {
    try {
      thread_ = std::thread([this, index, options, &started] { live(index, options, started); });
    } catch (const std::system_error& error) {
      failure_ = std::make_exception_ptr(SystemError(
          base::system_error(error.code().value(), "no thread can be started for a shard (see ulimit -u)")));
      started.count_down();
    }
  }
  ~Member() {
    if (!thread_.joinable()) return;
    give(nullptr);
    thread_.join();
  }

  /// Why the shard could not be made, if it could not. After the latch.
  const std::exception_ptr& failure() const { return failure_; }

  /// Hands over a job; an empty one ends the thread.
  void give(Job job) {
    std::lock_guard lock(mutex_);
    job_ = std::move(job);
    changed_.notify_one();
  }

 private:
  void live(unsigned index, const ShardOptions& options, std::latch& started) {
    std::optional<Shard> shard;
    try {
      shard.emplace(options);
      shard->index = index;
    } catch (...) {
      failure_ = std::current_exception();
    }
    started.count_down();
    while (Job job = next_job()) job(*shard);
  }

  Job next_job() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return job_.has_value(); });
    return *std::exchange(job_, std::nullopt);
  }

  std::thread thread_;
  std::exception_ptr failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> job_;
};

Engine::Engine(const EngineOptions& options) : size_(options.shards) {
  if (size_ == 0)
    throw SystemError(Error(ErrorKind::system_error, Phase::setup, "an engine needs at least one shard"));
  members_ = std::make_unique<Member[]>(size_);
  std::latch started(size_);
  for (unsigned i = 0; i < size_; ++i) members_[i].start(i, options.shard, started);
  started.wait();
  for (unsigned i = 0; i < size_; ++i) {
    if (members_[i].failure()) std::rethrow_exception(members_[i].failure());
  }
}

Engine::~Engine() = default;

unsigned Engine::size() const noexcept {
  return size_;
}

void Engine::run_on_each(const std::function<Task<void>(Shard&)>& function) {
  std::latch done(size_);
  std::mutex mutex;
  std::exception_ptr first;
  for (unsigned i = 0; i < size_; ++i) {
    members_[i].give([&](Shard& shard) {
      try {
        shard.block_on(function(shard));
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
      done.count_down();
    });
  }
  done.wait();
  if (first) std::rethrow_exception(first);
}

void Engine::run_on_first(const std::function<void(Shard&)>& job) {
  std::latch done(1);
  members_[0].give([&](Shard& shard) {
    job(shard);
    done.count_down();
  });
  done.wait();
}

}  // namespace sluice
