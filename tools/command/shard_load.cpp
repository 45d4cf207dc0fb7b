// SPDX-License-Identifier: MIT
#include "tools/command/shard_load.hpp"

#include <algorithm>
#include <chrono>

#include <sluice/combinators.hpp>
#include <sluice/time.hpp>

namespace sluice::command {
namespace {

constexpr std::chrono::milliseconds kPublishInterval{200};
// After an error a worker pauses, longer each time: a server that refuses connections is not to be flooded.
constexpr Duration kFirstPause = std::chrono::milliseconds(1);
constexpr Duration kLongestPause = std::chrono::milliseconds(100);

}  // namespace

void Board::publish(unsigned shard, const Tally& tally) {
  std::lock_guard lock(mutex_);
  tallies_[shard] = tally;
}

Tally Board::sum() const {
  std::lock_guard lock(mutex_);
  Tally sum;
  for (const Tally& tally : tallies_) sum += tally;
  return sum;
}

ShardLoad::ShardLoad(const Plan& plan, Shard& shard)
    : plan_(&plan),
      shard_(&shard),
      share_(plan.share_of(shard.index)),
      client_(shard, plan.client_options(share_)),
      request_(plan.make_request(client_)),
      begin_(Clock::now()) {}

Task<void> ShardLoad::run(Board& board, StopSignal& stop, bool live) {
  std::uint64_t enters_before = shard_->stats().ring_enters;
  if (live)
    co_await when_any(run_workers(), wait_for_deadline(), stop.wait(*shard_), publish_regularly(board));
  else
    co_await when_any(run_workers(), wait_for_deadline(), stop.wait(*shard_));
  tally_.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  tally_.unfinished = in_flight_;
  tally_.connections_opened = client_.pool_stats().opened;
  tally_.enters = shard_->stats().ring_enters - enters_before;
  board.publish(shard_->index, tally_);
}

Task<void> ShardLoad::run_workers() {
  std::vector<Task<void>> workers;
  for (std::uint32_t i = 0; i < share_.connections; ++i) workers.push_back(work());
  co_await when_all(std::move(workers));
}

Task<void> ShardLoad::work() {
  Duration pause = kFirstPause;
  while (take_turn()) {
    bool at_a_rate = share_.interval != Duration::zero();
    TimePoint due = at_a_rate ? next_due() : TimePoint();
    if (at_a_rate && due > Clock::now()) co_await sleep_until(due);
    ++in_flight_;
    auto result = co_await client_.send(request_).as_result();
    --in_flight_;
    count(result, at_a_rate ? Clock::now() - due : result ? result->elapsed() : Duration());
    if (result) {
      pause = kFirstPause;
    } else if (!at_a_rate) {
      co_await sleep_for(pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }
}

Task<void> ShardLoad::wait_for_deadline() {
  if (plan_->duration())
    co_await sleep_until(begin_ + *plan_->duration());
  else
    co_await sleep_for(kNoTimeout);
}

Task<void> ShardLoad::publish_regularly(Board& board) {
  for (;;) {
    co_await sleep_for(kPublishInterval);
    board.publish(shard_->index, tally_);
  }
}

/// Whether there is another request to be made; then it is the caller's.
bool ShardLoad::take_turn() {
  if (share_.requests && turns_taken_ == *share_.requests) return false;
  ++turns_taken_;
  return true;
}

/// When the request whose turn was taken is due: its place in the schedule, however late it
/// is by now: a slow reply must not delay, and so hide, the requests that should have been made meanwhile.
TimePoint ShardLoad::next_due() const {
  return begin_ + share_.first_start + share_.interval * static_cast<std::int64_t>(turns_taken_ - 1);
}

void ShardLoad::count(const Result<Response>& result, Duration latency) {
  if (!result) {
    ++tally_.errors[static_cast<std::size_t>(result.error().kind())];
    return;
  }
  ++tally_.statuses[static_cast<std::size_t>(result->status())];
  tally_.body_bytes += result->num_bytes_downloaded();
  tally_.wire_bytes += result->num_bytes_received();
  tally_.latency.add(latency);
}

}  // namespace sluice::command
