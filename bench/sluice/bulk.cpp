// SPDX-License-Identifier: MIT
// sluice on large bodies: each connection reads whole responses, one after the other, and only counts their
// bytes.
//
//   bulk URL [-c 64] [-d 3 | --memory-of 10] [--read raw|bytes|lines|discard]
//
// When the time is over, bodies that have begun are read to their end. --memory-of N reads N GB instead and
// prints, after each tenth, the memory of the process as a JSON object.
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <sluice/sluice.hpp>

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"

namespace {

constexpr std::uint64_t kBytesPerGb = 1'000'000'000;
constexpr std::uint64_t kMemoryReports = 10;
constexpr auto kLongestEnd = std::chrono::seconds(2);  // of bodies that have begun

enum class Read { kRaw, kBytes, kLines, kDiscard };

struct Options {
  bench::Load load;
  Read read;
  unsigned memory_of_gb;  // 0: measure the CPU
};

class Client {
 public:
  explicit Client(const Options& options) : options_(options), client_(client_options(options.load)) {}

  sluice::Task<void> measure_cpu() {
    bench::Meter meter(counters());
    co_await sluice::when_any(run(), stop_in_time());
    meter.report(counters());
  }

  sluice::Task<void> measure_memory() { co_await sluice::when_any(run(), report_memory()); }

 private:
  static sluice::ClientOptions client_options(const bench::Load& load) {
    sluice::Limits limits;
    limits.max_connections = limits.max_keepalive_connections = load.connections;
    return sluice::ClientOptions().limits(limits);
  }

  sluice::Task<void> run() {
    std::vector<sluice::Task<void>> connections;
    for (unsigned i = 0; i < options_.load.connections; ++i) connections.push_back(connection());
    co_await sluice::when_all(std::move(connections));
  }

  sluice::Task<void> connection() {
    while (!stopping_) {
      auto response = co_await client_.stream(sluice::Method::Get, options_.load.url);
      response.raise_for_status();
      co_await read(response);
      ++replies_;
    }
  }

  sluice::Task<void> read(sluice::StreamingResponse& response) {
    switch (options_.read) {
      case Read::kRaw:
        return count(response.iter_raw());
      case Read::kBytes:
        return count(response.iter_bytes());
      case Read::kLines:
        return count_lines(response.iter_lines());
      case Read::kDiscard:
        break;
    }
    return discard(response);
  }

  sluice::Task<void> count(sluice::BodyIterator<sluice::Chunk> body) {
    while (auto chunk = co_await body.next()) bytes_ += chunk->size();
  }

  sluice::Task<void> count_lines(sluice::BodyIterator<std::string_view> lines) {
    while (auto line = co_await lines.next()) bytes_ += line->size() + 1;
  }

  sluice::Task<void> discard(sluice::StreamingResponse& response) {
    co_await response.discard();
    bytes_ += response.num_bytes_downloaded();
  }

  sluice::Task<void> stop_in_time() {
    co_await sluice::sleep_for(
        std::chrono::duration_cast<sluice::Duration>(std::chrono::duration<double>(options_.load.seconds)));
    stopping_ = true;
    co_await sluice::sleep_for(kLongestEnd);
  }

  sluice::Task<void> report_memory() {
    const std::uint64_t part = options_.memory_of_gb * kBytesPerGb / kMemoryReports;
    for (std::uint64_t i = 1; i <= kMemoryReports; ++i) {
      while (bytes_ < i * part) co_await sluice::sleep_for(std::chrono::milliseconds(1));
      bench::report_memory(bytes_);
    }
  }

  bench::Counters counters() const { return {.requests = replies_, .bytes = bytes_}; }

  Options options_;
  sluice::AsyncClient client_;
  bool stopping_ = false;
  std::uint64_t replies_ = 0, bytes_ = 0;
};

sluice::Task<void> run(const Options& options) {
  Client client(options);
  if (options.memory_of_gb == 0)
    co_await client.measure_cpu();
  else
    co_await client.measure_memory();
}

Read take_read(bench::CommandLine& line) {
  std::string_view name = line.value("--read").value_or("raw");
  if (name == "raw") return Read::kRaw;
  if (name == "bytes") return Read::kBytes;
  if (name == "lines") return Read::kLines;
  if (name == "discard") return Read::kDiscard;
  throw std::invalid_argument("--read takes raw, bytes, lines or discard");
}

void measure(bench::CommandLine& line) {
  Options options{};
  options.read = take_read(line);
  options.memory_of_gb = line.number("--memory-of", 0, 1, 1000);
  options.load = bench::take_load(line);
  line.finish();
  sluice::Shard shard;
  shard.block_on(run(options));
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
