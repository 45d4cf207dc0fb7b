// SPDX-License-Identifier: MIT
// Receive buffers: from a completion's buffer id to the buffer back in the kernel's ring.
#include <benchmark/benchmark.h>

#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/ring.hpp"

namespace sluice::ring {
namespace {

/// Leases a batch of buffers, drops the leases and returns the buffers in one tail update. The time is that
/// of a batch of so many; no receive is in flight, so the kernel does not look at the ring meanwhile.
void buffer_return(benchmark::State& state) {
  Ring ring;
  if (!ring.open(64)) return state.SkipWithError("no io_uring");
  auto buffers = BufferRing::open(
      *ring.raw(), {.count = 256, .buffer_size = 4096, .hot_bytes = 1024 * 1024}, [](void*) {}, nullptr);
  if (!buffers) return state.SkipWithError("no receive buffers");
  auto batch = static_cast<std::uint16_t>(state.range(0));
  for (auto _ : state) {
    for (std::uint16_t id = 0; id < batch; ++id) benchmark::DoNotOptimize((*buffers)->take(id, 128).bytes());
    (*buffers)->return_batch();
  }
  state.SetItemsProcessed(state.iterations() * batch);
  (*buffers)->close();
}
BENCHMARK(buffer_return)->Arg(1)->Arg(64);

}  // namespace
}  // namespace sluice::ring
