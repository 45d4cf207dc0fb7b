// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include <boost/histogram/axis/option.hpp>
#include <boost/histogram/histogram.hpp>
#include <boost/histogram/make_histogram.hpp>

#include <sluice/detail/timer.hpp>

namespace sluice::command {

/// An axis of Boost.Histogram whose buckets are 1/128 of their value wide: exact to 0.8 % from a nanosecond
/// to half an hour, and a bucket is found with two shifts.
class LatencyAxis {
 public:
  int index(std::uint64_t nanoseconds) const noexcept {
    std::uint64_t value = std::min(nanoseconds, kMost);
    int exponent = std::max(static_cast<int>(std::bit_width(value)) - kPrecisionBits - 1, 0);
    return (exponent << kPrecisionBits) + static_cast<int>(value >> exponent);
  }
  int size() const noexcept { return index(kMost) + 1; }
  /// The middle of a bucket.
  double value(int index) const noexcept;

  static constexpr unsigned options() { return 0; }  // no buckets beside the ends: there are no values there
  friend bool operator==(const LatencyAxis&, const LatencyAxis&) noexcept { return true; }

 private:
  static constexpr int kPrecisionBits = 7;
  static constexpr std::uint64_t kMost = (std::uint64_t{1} << 41) - 1;
};

/// How long requests took. A value; merging adds.
class Latency {
 public:
  Latency();
  void add(Duration duration);
  Latency& operator+=(const Latency& other);

  std::uint64_t count() const { return count_; }
  // In microseconds; 0 when there is nothing.
  double min() const { return count_ == 0 ? 0 : static_cast<double>(min_) / 1e3; }
  double max() const { return static_cast<double>(max_) / 1e3; }
  double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / 1e3 / static_cast<double>(count_);
  }
  /// The duration that this share of requests, 0 to 1, did not exceed.
  double quantile(double share) const;

 private:
  using Storage = std::vector<std::uint64_t>;
  using Histogram = decltype(boost::histogram::make_histogram_with(Storage(), LatencyAxis()));

  Histogram buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
};

}  // namespace sluice::command
