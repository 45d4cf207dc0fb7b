// SPDX-License-Identifier: MIT
#include "tools/command/tally.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace sluice::command {

std::uint64_t Tally::error_count() const {
  return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0});
}

Tally& Tally::operator+=(const Tally& other) {
  auto add = [](auto& to, const auto& from) {
    std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>());
  };
  add(statuses, other.statuses);
  add(errors, other.errors);
  unfinished += other.unfinished;
  body_bytes += other.body_bytes;
  wire_bytes += other.wire_bytes;
  connections_opened += other.connections_opened;
  enters += other.enters;
  seconds = std::max(seconds, other.seconds);
  latency += other.latency;
  return *this;
}

}  // namespace sluice::command
