// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

/// Kernel constants that liburing 2.3 (Debian 12) does not know, and the one place that may ask for them.
/// Each feature is used only after the kernel was seen to do it (Ring::open), never because of a version
/// number.
namespace sluice::ring::abi {

/// io_uring_params.features: io_uring_enter takes a minimum wait (kernel 6.12).
inline constexpr unsigned kFeatureMinimumWait = 1U << 15;

/// io_uring_getevents_arg as of kernel 6.12: what was padding is the minimum wait in microseconds.
struct GetEventsArg {
  __u64 signal_mask;
  __u32 signal_mask_size;
  __u32 minimum_wait_microseconds;
  __u64 timeout;
};
static_assert(sizeof(GetEventsArg) == sizeof(io_uring_getevents_arg));

}  // namespace sluice::ring::abi
