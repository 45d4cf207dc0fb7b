// SPDX-License-Identifier: MIT
#include "tools/command/load.hpp"

#include <chrono>
#include <cstdio>

#include <unistd.h>

#include <sluice/engine.hpp>

#include "tools/command/failure.hpp"
#include "tools/command/plan.hpp"
#include "tools/command/report.hpp"
#include "tools/command/shard_load.hpp"
#include "tools/command/stop.hpp"

namespace sluice::command {
namespace {

/// One line on a terminal, redrawn in place and taken away at the end.
class LiveLine {
 public:
  explicit LiveLine(const Board& board) : board_(&board), begin_(Clock::now()) {}
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;
  ~LiveLine() { std::fputs("\r\033[K", stderr); }

  void redraw() const {
    double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    std::fprintf(stderr, "\r\033[K%s", live_line(board_->sum(), seconds).c_str());
    std::fflush(stderr);
  }

 private:
  const Board* board_;
  TimePoint begin_;
};

Task<void> run_on(Shard& shard, const Plan& plan, Board& board, StopSignal& stop, bool live) {
  ShardLoad load(plan, shard);
  co_await load.run(board, stop, live);
}

void run(Engine& engine, const Plan& plan, Board& board) {
  StopSignal stop;
  std::optional<LiveLine> line;
  std::function<void()> redraw;
  if (isatty(STDERR_FILENO) == 1) {
    line.emplace(board);
    redraw = [&line] { line->redraw(); };
  }
  SignalThread signals([&stop] { stop.request(); }, redraw);
  bool live = line.has_value();
  engine.run_on_each([&](Shard& shard) { return run_on(shard, plan, board, stop, live); });
}

}  // namespace

int load(const LoadArguments& arguments) {
  Plan plan(arguments);
  EngineOptions options;
  options.shards = plan.shards();
  Engine engine(options);
  Board board(plan.shards());
  if (!arguments.json)
    std::printf("%s with %u connections on %u shard%s\n", plan.url().c_str(), plan.connections(),
                plan.shards(), plan.shards() == 1 ? "" : "s");
  std::fflush(stdout);

  CpuTime before = CpuTime::now();
  run(engine, plan, board);
  CpuTime cpu = CpuTime::now() - before;

  Tally tally = board.sum();
  std::fputs((arguments.json ? json_summary(tally, cpu) : summary(tally, cpu)).c_str(), stdout);
  if (std::fflush(stdout) != 0) throw Failure(kWriteOutput, "cannot write to standard output");
  if (tally.latency.count() == 0) throw Failure(kOther, "no request succeeded");
  return kSuccess;
}

}  // namespace sluice::command
