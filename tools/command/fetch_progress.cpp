// SPDX-License-Identifier: MIT
#include "tools/command/fetch_progress.hpp"

#include <chrono>
#include <cstdio>

#include <unistd.h>

namespace sluice::command {
namespace {

constexpr std::chrono::seconds kLineInterval{1};

unsigned long long value(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace

FetchProgress::FetchProgress(const FetchCounters& counters, bool asked_for)
    : counters_(&counters),
      terminal_(isatty(STDERR_FILENO) == 1),
      asked_for_(asked_for),
      begin_(Clock::now()),
      last_(begin_) {}

FetchProgress::~FetchProgress() {
  if (!shown()) return;
  draw();
  if (terminal_) std::fputc('\n', stderr);
}

void FetchProgress::redraw() {
  TimePoint now = Clock::now();
  if (!terminal_ && now - last_ < kLineInterval) return;
  last_ = now;
  draw();
}

void FetchProgress::draw() {
  double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  double rows = static_cast<double>(counters_->rows.load(std::memory_order_relaxed));
  double megabytes = static_cast<double>(counters_->bytes.load(std::memory_order_relaxed)) / 1e6;
  std::fprintf(stderr, "%s%llu rows, %llu errors, %llu under way, %.1f MB, %.0f rows/s%s",
               terminal_ ? "\r\033[K" : "", value(counters_->rows), value(counters_->errors),
               value(counters_->under_way), megabytes, rows / seconds, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace sluice::command
