// SPDX-License-Identifier: MIT
#include "tools/command/transfer_progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include <sluice/time.hpp>

namespace sluice::command {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kBarWidth = 30;

/// "1:02:03" or "2:03".
std::string clock_time(double seconds) {
  auto whole = static_cast<unsigned long>(std::min(seconds, 1e6));
  char text[32];
  if (whole >= 3600)
    std::snprintf(text, sizeof(text), "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof(text), "%lu:%02lu", whole / 60, whole % 60);
  return text;
}

}  // namespace

TransferProgress::TransferProgress(const Output& output, std::uint64_t before,
                                   std::optional<std::uint64_t> length)
    : output_(&output), before_(before), length_(length), begin_(Clock::now()) {}

TransferProgress::~TransferProgress() {
  std::fputs("\r\033[K", stderr);
}

Task<void> TransferProgress::run() {
  for (;;) {
    draw();
    co_await sleep_for(kInterval);
  }
}

void TransferProgress::draw() const {
  double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  auto arrived = static_cast<double>(output_->bytes());
  double speed = seconds > 0 ? arrived / seconds : 0;
  double done = arrived + static_cast<double>(before_);
  if (!length_) {
    std::fprintf(stderr, "\r\033[K%.1f MB  %.1f MB/s  %s", done / 1e6, speed / 1e6,
                 clock_time(seconds).c_str());
  } else {
    double whole = static_cast<double>(before_ + *length_);
    double part = whole > 0 ? std::min(done / whole, 1.0) : 1;
    std::string bar(static_cast<std::size_t>(part * kBarWidth), '=');
    if (bar.size() < kBarWidth) bar += '>';
    double left = speed > 0 ? (whole - done) / speed : 0;
    std::fprintf(stderr, "\r\033[K%3.0f%% [%-*s] %.1f/%.1f MB  %.1f MB/s  %s left",
                 std::min(part * 100, 99.0), static_cast<int>(kBarWidth), bar.c_str(), done / 1e6,
                 whole / 1e6, speed / 1e6, clock_time(left).c_str());
  }
  std::fflush(stderr);
}

}  // namespace sluice::command
