// SPDX-License-Identifier: MIT
#include "tools/command/latency.hpp"

#include <chrono>
#include <cmath>

namespace sluice::command {

double LatencyAxis::value(int index) const noexcept {
  int exponent = std::max((index >> kPrecisionBits) - 1, 0);
  auto low = static_cast<std::uint64_t>(index - (exponent << kPrecisionBits)) << exponent;
  auto width = std::uint64_t{1} << exponent;
  return static_cast<double>(low) + static_cast<double>(width - 1) / 2;
}

Latency::Latency() : buckets_(boost::histogram::make_histogram_with(Storage(), LatencyAxis())) {}

void Latency::add(Duration duration) {
  auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
  buckets_(nanoseconds);
  ++count_;
  sum_ += nanoseconds;
  min_ = std::min(min_, nanoseconds);
  max_ = std::max(max_, nanoseconds);
}

Latency& Latency::operator+=(const Latency& other) {
  buckets_ += other.buckets_;
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  return *this;
}

double Latency::quantile(double share) const {
  if (count_ == 0) return 0;
  auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  rank = std::clamp<std::uint64_t>(rank, 1, count_);
  const LatencyAxis& axis = buckets_.axis();
  std::uint64_t seen = 0;
  int index = 0;
  for (; index < axis.size(); ++index) {
    seen += buckets_.at(index);
    if (seen >= rank) break;
  }
  return std::clamp(axis.value(index), static_cast<double>(min_), static_cast<double>(max_)) / 1e3;
}

}  // namespace sluice::command
