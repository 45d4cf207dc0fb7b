// SPDX-License-Identifier: MIT
#include "bench/limit/options.hpp"

#include <stdexcept>
#include <string_view>

namespace limit {
namespace {

// How long to wait for the rest of a batch (0: for ever). Long enough that a busy origin answers every
// connection first: a timer that fires costs more than the batch saves.
constexpr unsigned kBatchWaitUs = 2000;

constexpr unsigned kMostBytes = 1 << 30;

Receive take_receive(bench::CommandLine& line, Receive fallback) {
  auto kind = line.value("--receive");
  if (!kind) return fallback;
  if (*kind == "multishot") return Receive::kMultishot;
  if (*kind == "bundle") return Receive::kBundle;
  if (*kind == "one-shot") return Receive::kOneShot;
  if (*kind == "own-buffer") return Receive::kOwnBuffer;
  throw std::invalid_argument("--receive takes multishot, bundle, one-shot or own-buffer");
}

void take_batch(Options& o, bench::CommandLine& line, bool bulk) {
  // A whole round of small replies at a time costs least. Of large ones, a queue that grows meanwhile costs
  // more.
  o.batch = line.number("--batch", bulk ? 1 : o.load.connections, 1, 10'000);
  o.batch_wait_us = line.number("--batch-wait-us", o.batch == 1 ? 0 : kBatchWaitUs, 0, 100'000);
}

void take_buffers(Options& o, bench::CommandLine& line, bool bulk) {
  o.receive = take_receive(line, o.discard ? Receive::kOwnBuffer : Receive::kMultishot);
  o.buffers = line.number("--buffers", bulk ? 4 : 1024, 1, 32'768);
  // What is discarded needs no memory: the rest of a reply at a time.
  unsigned bulk_size = o.discard && o.receive == Receive::kOwnBuffer ? kMostBytes : 512 << 10;
  o.buffer_size_bytes = line.number("--buffer-size", bulk ? bulk_size : 4096, 64, kMostBytes);
  o.low_water_bytes = line.number("--low-water", bulk ? 1 << 20 : 1, 1, kMostBytes);
  o.incremental_buffers = line.flag("--incremental-buffers");
}

}  // namespace

Options take_options(bench::CommandLine& line) {
  Options o{};
  o.load = bench::take_load(line);
  o.discard = line.flag("--discard");
  bool bulk = line.flag("--bulk") || o.discard;
  take_batch(o, line, bulk);
  take_buffers(o, line, bulk);
  o.receive_poll_first = line.flag("--receive-poll-first");
  o.send_poll_first = line.flag("--send-poll-first");
  o.skip_send_cqe = line.flag("--skip-send-cqe");  // a successful send completes silently
  o.direct = line.flag("--direct");                // direct descriptors
  o.spin = line.flag("--spin");                    // never sleep
  o.ring.registered_fd = !line.flag("--no-registered-ring");
  o.ring.defer_taskrun = !line.flag("--no-defer");
  o.ring.no_iowait = line.flag("--no-iowait");
  o.ring.no_sq_array = line.flag("--no-sq-array");
  line.finish();
  return o;
}

}  // namespace limit
