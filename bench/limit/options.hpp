// SPDX-License-Identifier: MIT
#pragma once

#include "bench/common/command_line.hpp"
#include "bench/common/raw_ring.hpp"

namespace limit {

// Where received bytes go: into provided buffers, by one receive for good, the same with several buffers at a
// time, or a new receive each time; or into a buffer of the connection's own, by a new receive each time.
enum class Receive { kMultishot, kBundle, kOneShot, kOwnBuffer };

struct Options {
  bench::Load load;
  bench::RingOptions ring;
  unsigned batch, batch_wait_us;
  Receive receive;
  unsigned buffers, buffer_size_bytes;
  unsigned low_water_bytes;  // that make a socket readable, where the reply has as many left
  bool discard;              // received bytes go nowhere (MSG_TRUNC)
  bool incremental_buffers, receive_poll_first, send_poll_first, skip_send_cqe, direct, spin;
};

// The defaults of small replies, of --bulk and of --discard are the cheapest that were found for each.
Options take_options(bench::CommandLine& line);

}  // namespace limit
