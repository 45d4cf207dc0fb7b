// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include <sluice/error.hpp>

#include "tools/command/latency.hpp"

namespace sluice::command {

/// What a load has counted. A value; merging adds.
struct Tally {
  static constexpr std::size_t kStatuses = 1000;
  static constexpr std::size_t kErrorKinds = static_cast<std::size_t>(ErrorKind::limit_exceeded) + 1;

  std::array<std::uint64_t, kStatuses> statuses{};  ///< responses by status
  std::array<std::uint64_t, kErrorKinds> errors{};  ///< requests without a response, by ErrorKind
  std::uint64_t unfinished = 0;                     ///< requests that the end of the load cut off
  std::uint64_t body_bytes = 0;
  std::uint64_t wire_bytes = 0;  ///< received, with heads and the chunked coding
  std::uint64_t connections_opened = 0;
  std::uint64_t enters = 0;  ///< io_uring_enter calls
  double seconds = 0;
  Latency latency;  ///< of responses

  std::uint64_t error_count() const;
  Tally& operator+=(const Tally& other);
};

}  // namespace sluice::command
