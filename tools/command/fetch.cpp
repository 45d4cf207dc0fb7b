// SPDX-License-Identifier: MIT
#include "tools/command/fetch.hpp"

#include <functional>

#include <sluice/combinators.hpp>
#include <sluice/shard.hpp>

#include "tools/command/failure.hpp"
#include "tools/command/fetch_plan.hpp"
#include "tools/command/fetch_progress.hpp"
#include "tools/command/fetch_run.hpp"
#include "tools/command/stop.hpp"

namespace sluice::command {
namespace {

Task<int> run_until_stopped(FetchRun& run, RowWriter& output, Shard& shard, StopSignal& stop) {
  auto outcome = co_await when_any(run.run(), stop.wait(shard), output.failure());
  co_return outcome.index() == 0 ? kSuccess : kInterrupted;
}

}  // namespace

int fetch(const FetchArguments& arguments) {
  FetchPlan plan(arguments);
  StopSignal stop;
  Shard shard;
  FetchCounters counters;
  BlockReader input(shard, arguments.input);
  RowWriter output(shard);
  FetchProgress progress(counters, arguments.progress);
  FetchRun run(shard, plan, input, output, counters);
  std::function<void()> redraw;
  if (progress.shown()) redraw = [&progress] { progress.redraw(); };
  SignalThread signals([&stop] { stop.request(); }, redraw);
  int code = shard.block_on(run_until_stopped(run, output, shard, stop));
  output.finish();
  input.check();
  return code;
}

}  // namespace sluice::command
