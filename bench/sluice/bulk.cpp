// SPDX-License-Identifier: MIT
// sluice on large bodies: each connection streams whole responses, one after the other, and only counts their
// bytes.
//
//   bulk URL [-c 64] [-d 3 | --memory-of 10]
//
// --memory-of N streams N GB instead and prints, after each tenth, the memory of the process as a JSON
// object.
#include <chrono>
#include <cstdint>
#include <vector>

#include <sluice/sluice.hpp>

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"

namespace {

constexpr std::uint64_t kBytesPerGb = 1'000'000'000;
constexpr std::uint64_t kMemoryReports = 10;

class Client {
 public:
  explicit Client(const bench::Load& load) : load_(load), client_(options(load)) {}

  sluice::Task<void> measure_cpu() { co_await sluice::when_any(run(), report_cpu()); }
  sluice::Task<void> measure_memory(std::uint64_t bytes) {
    co_await sluice::when_any(run(), report_memory(bytes));
  }

 private:
  static sluice::ClientOptions options(const bench::Load& load) {
    sluice::Limits limits;
    limits.max_connections = limits.max_keepalive_connections = load.connections;
    return sluice::ClientOptions().limits(limits);
  }

  sluice::Task<void> run() {
    std::vector<sluice::Task<void>> connections;
    for (unsigned i = 0; i < load_.connections; ++i) connections.push_back(connection());
    co_await sluice::when_all(std::move(connections));
  }

  sluice::Task<void> connection() {
    for (;;) {
      auto response = co_await client_.stream(sluice::Method::Get, load_.url);
      response.raise_for_status();
      auto body = response.iter_raw();
      while (auto chunk = co_await body.next()) bytes_ += chunk->size();
      ++replies_;
    }
  }

  sluice::Task<void> report_cpu() {
    co_await sluice::sleep_for(seconds(bench::kWarmUpSeconds));
    bench::Meter meter(counters());
    co_await sluice::sleep_for(seconds(load_.seconds));
    meter.report(counters());
  }

  sluice::Task<void> report_memory(std::uint64_t bytes) {
    for (std::uint64_t part = 1; part <= kMemoryReports; ++part) {
      while (bytes_ < bytes / kMemoryReports * part) co_await sluice::sleep_for(std::chrono::milliseconds(1));
      bench::report_memory(bytes_);
    }
  }

  bench::Counters counters() const { return {.requests = replies_, .bytes = bytes_}; }

  static sluice::Duration seconds(double number) {
    return std::chrono::duration_cast<sluice::Duration>(std::chrono::duration<double>(number));
  }

  bench::Load load_;
  sluice::AsyncClient client_;
  std::uint64_t replies_ = 0, bytes_ = 0;
};

sluice::Task<void> run(const bench::Load& load, unsigned memory_of_gb) {
  Client client(load);
  if (memory_of_gb == 0)
    co_await client.measure_cpu();
  else
    co_await client.measure_memory(memory_of_gb * kBytesPerGb);
}

void measure(bench::CommandLine& line) {
  bench::Load load = bench::take_load(line);
  unsigned memory_of_gb = line.number("--memory-of", 0, 1, 1000);
  line.finish();
  sluice::Shard shard;
  shard.block_on(run(load, memory_of_gb));
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
