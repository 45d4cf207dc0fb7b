// SPDX-License-Identifier: MIT
#include "tools/command/fetch_run.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include <sluice/combinators.hpp>
#include <sluice/time.hpp>

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

// How far the list is read ahead, so that a host with many lines in a row does not keep others waiting.
constexpr std::size_t kMostWaiting = 20'000;
constexpr std::size_t kMostWaitingBytes = 64 * 1024 * 1024;
// A begin that is late by so much is not caught up.
constexpr std::chrono::milliseconds kRateSlack{50};

}  // namespace

FetchRun::FetchRun(Shard& shard, const FetchPlan& plan, BlockReader& input, RowWriter& output,
                   FetchCounters& counters)
    : plan_(&plan),
      input_(&input),
      output_(&output),
      counters_(&counters),
      client_(shard, plan.client_options()),
      schedule_(plan.arguments().per_host) {}

Task<void> FetchRun::run() {
  auto body = [this](Scope& scope) -> Task<void> {
    scope.spawn(&FetchRun::read_input, this);
    co_await begin_jobs(scope);
  };
  co_await scope(body);
}

// ---- what is next

Task<void> FetchRun::read_input() {
  LineSplitter splitter;
  while (auto block = co_await input_->next()) {
    std::vector<Line> lines = splitter.take(*block);
    for (const Line& line : lines) co_await schedule(line);
  }
  if (auto line = splitter.finish()) co_await schedule(*line);
  input_ended_ = true;
  stirred_.notify();
}

Task<void> FetchRun::schedule(const Line& line) {
  while (full()) co_await room_.wait();
  auto job = parse_job(line, *plan_, client_);
  if (!job) co_return;
  schedule_.add(*std::move(job));
  stirred_.notify();
}

bool FetchRun::full() const {
  return schedule_.waiting() >= kMostWaiting || schedule_.waiting_bytes() >= kMostWaitingBytes;
}

bool FetchRun::over() const {
  return input_ended_ && schedule_.waiting() == 0;
}

Task<void> FetchRun::begin_jobs(Scope& scope) {
  while (!over()) {
    std::optional<FetchJob> job;
    if (under_way_ < plan_->arguments().concurrency) job = schedule_.take();
    if (!job) {
      co_await stirred_.wait();
      continue;
    }
    ++under_way_;
    room_.notify();
    co_await output_->room();
    co_await keep_rate();
    scope.spawn(&FetchRun::perform, this, *std::move(job));
  }
}

Task<void> FetchRun::keep_rate() {
  if (plan_->interval() == Duration::zero()) co_return;
  if (next_begin_ > Clock::now()) co_await sleep_until(next_begin_);
  next_begin_ = std::max(next_begin_, Clock::now() - kRateSlack) + plan_->interval();
}

// ---- one request

Task<void> FetchRun::perform(FetchJob job) {
  ++counters_->under_way;
  FetchRow row(job);
  if (job.request)
    co_await make_request(job, row);
  else
    row.set_error("InvalidInput", "input", job.defect);
  if (row.has_error()) ++counters_->errors;
  output_->put(row.finish());
  ++counters_->rows;
  --counters_->under_way;
  --under_way_;
  schedule_.finished(job.host);
  stirred_.notify();
}

Task<void> FetchRun::make_request(FetchJob& job, FetchRow& row) {
  TimePoint start = Clock::now();
  try {
    auto outcome = co_await with_timeout(plan_->max_time(), exchange(job, row));
    if (!outcome) row.set_error(outcome.error());
  } catch (const Failure& failure) {  // of the file for the body; others may still be written
    row.set_error("OutputError", "output", failure.what());
  }
  row.set_elapsed(Clock::now() - start);
}

Task<Result<void>> FetchRun::exchange(FetchJob& job, FetchRow& row) {
  auto response = co_await client_.send_streaming(*job.request).as_result();
  if (!response) co_return std::move(response).error();
  row.set_response(*response);
  BodySink sink(*plan_, job.line);
  auto received = co_await receive(*response, sink);
  row.set_transfer(*response);
  if (decodes()) row.set_decoded_bytes(response->num_bytes_decoded());
  counters_->bytes += response->num_bytes_downloaded();
  if (received) sink.finish(row);
  co_return received;
}

bool FetchRun::decodes() const {
  return !plan_->arguments().raw && plan_->arguments().body != BodyMode::discard;
}

Task<Result<void>> FetchRun::receive(StreamingResponse& response, BodySink& sink) {
  if (sink.takes_nothing()) co_return co_await response.discard().as_result();
  auto body = decodes() ? response.iter_bytes() : response.iter_raw();
  for (;;) {
    auto chunk = co_await body.next().as_result();
    if (!chunk) co_return std::move(chunk).error();
    if (!*chunk) co_return Result<void>();
    if (!sink.write((*chunk)->view()))
      co_return Error(ErrorKind::limit_exceeded, Phase::body,
                      "the body is larger than " + std::to_string(plan_->max_body_bytes()) + " bytes");
  }
}

}  // namespace sluice::command
