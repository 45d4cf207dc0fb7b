// SPDX-License-Identifier: MIT
#include <sluice/shard.hpp>

#include "engine/base/check.hpp"
#include "engine/ring/loop.hpp"

namespace sluice {
namespace {

class Call : public ring::Message {
 public:
  explicit Call(std::function<void()> function) : function_(std::move(function)) {}
  void deliver() noexcept override { function_(); }

 private:
  std::function<void()> function_;
};

}  // namespace

Shard::Shard(const ShardOptions& options) : loop_(ring::Loop::open(options).value()) {}

Shard::~Shard() = default;

void Shard::drive(const std::function<void()>& start, const bool& done, const std::function<void()>& finish) {
  base::check(!loop_->is_current(),
              "block_on() was called from a task of the same shard; await the task instead");
  ring::Activation activation(*loop_);
  loop_->catch_up();
  start();
  loop_->run_until(done);
  finish();
}

bool Shard::post(std::function<void()> function) {
  return loop_->mailbox().post(std::make_unique<Call>(std::move(function)));
}

ShardStats Shard::stats() const {
  const ring::Ring::Counters& counters = loop_->ring().counters();
  ShardStats stats;
  stats.operations_started = counters.started;
  stats.operations_finished = counters.finished;
  stats.ring_enters = counters.enters;
  stats.queue_overflows = counters.overflows;
  stats.leases_out = loop_->buffers().leased();
  stats.lease_copies = loop_->buffers().copies();
  stats.buffer_starvations = loop_->buffers().starvations();
  stats.open_sockets = loop_->open_sockets();
  return stats;
}

}  // namespace sluice
