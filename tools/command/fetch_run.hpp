// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include <sluice/client.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/scope.hpp>
#include <sluice/shard.hpp>

#include "tools/command/block_reader.hpp"
#include "tools/command/body_sink.hpp"
#include "tools/command/fetch_plan.hpp"
#include "tools/command/fetch_row.hpp"
#include "tools/command/host_schedule.hpp"
#include "tools/command/line_splitter.hpp"
#include "tools/command/row_writer.hpp"

namespace sluice::command {

/// What a fetch has done so far, for whoever wants to look. Any thread.
struct FetchCounters {
  std::atomic<std::uint64_t> rows{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> under_way{0};
  std::atomic<std::uint64_t> bytes{0};
};

/// Makes the requests of a list: one task reads and schedules, one begins what may begin, each request is a
/// task of its own. Nothing is begun while the rows are not read, and the list is read only so far ahead as
/// keeps all hosts busy.
class FetchRun {
 public:
  FetchRun(Shard& shard, const FetchPlan& plan, BlockReader& input, RowWriter& output,
           FetchCounters& counters);

  /// Runs to the end of the list. Throws Failure when a file cannot be written. Cancelling it ends all
  /// requests; a row that has not been put is not made.
  Task<void> run();

 private:
  Task<void> read_input();
  Task<void> schedule(const Line& line);
  Task<void> begin_jobs(Scope& scope);
  Task<void> keep_rate();
  Task<void> perform(FetchJob job);
  Task<void> make_request(FetchJob& job, FetchRow& row);
  Task<Result<void>> exchange(FetchJob& job, FetchRow& row);
  Task<Result<void>> receive(StreamingResponse& response, BodySink& sink);
  bool decodes() const;
  bool full() const;
  bool over() const;

  const FetchPlan* plan_;
  BlockReader* input_;
  RowWriter* output_;
  FetchCounters* counters_;
  AsyncClient client_;
  HostSchedule schedule_;
  std::uint32_t under_way_ = 0;
  bool input_ended_ = false;
  TimePoint next_begin_{};
  detail::WaitPoint room_;     // in the schedule
  detail::WaitPoint stirred_;  // something may begin, or all is over
};

}  // namespace sluice::command
