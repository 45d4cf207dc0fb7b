// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include <sluice/client.hpp>
#include <sluice/shard.hpp>
#include <sluice/task.hpp>

#include "tools/command/plan.hpp"
#include "tools/command/stop.hpp"
#include "tools/command/tally.hpp"

namespace sluice::command {

/// Where the shards leave what they have counted so far, for whoever wants to look.
class Board {
 public:
  explicit Board(unsigned shards) : tallies_(shards) {}
  void publish(unsigned shard, const Tally& tally);
  /// All shards together.
  Tally sum() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Tally> tallies_;
};

/// One shard's part of a load: as many workers as it has connections.
class ShardLoad {
 public:
  ShardLoad(const Plan& plan, Shard& shard);

  /// Runs to the end of the plan or until it is stopped, and leaves the result on the board; on the way there
  /// too, if `live`.
  Task<void> run(Board& board, StopSignal& stop, bool live);

 private:
  Task<void> run_workers();
  Task<void> work();
  Task<void> wait_for_deadline();
  Task<void> publish_regularly(Board& board);
  bool take_turn();
  TimePoint next_due() const;
  void count(const Result<Response>& result, Duration latency);

  const Plan* plan_;
  Shard* shard_;
  Plan::Share share_;
  AsyncClient client_;
  Request request_;
  TimePoint begin_;
  std::uint64_t turns_taken_ = 0;
  std::uint64_t in_flight_ = 0;
  Tally tally_;
};

}  // namespace sluice::command
