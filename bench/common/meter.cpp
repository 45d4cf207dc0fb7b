// SPDX-License-Identifier: MIT
#include "bench/common/meter.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/resource.h>

namespace bench {
namespace {

double microseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

// A field of /proc/self/status. The peak of getrusage() would count what the parent had before exec, too.
unsigned long long status_bytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoull(line.substr(field.size())) * 1024;
  return 0;
}

}  // namespace

Meter::Meter(Counters start) : start_(start) {}

Meter::Cpu Meter::cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {microseconds(usage.ru_utime), microseconds(usage.ru_stime)};
}

void Meter::report(Counters end) const {
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_time_;
  Cpu end_cpu = cpu();
  double user = end_cpu.user_us - start_cpu_.user_us;
  double system = end_cpu.system_us - start_cpu_.system_us;
  auto requests = static_cast<double>(end.requests - start_.requests);
  auto gigabytes = static_cast<double>(end.bytes - start_.bytes) / 1e9;
  double divisor = std::max(requests, 1.0);
  double gigabyte_divisor = std::max(gigabytes, 1e-9);
  std::printf("{\"requests\": %.0f, \"seconds\": %.3f, \"requests_per_second\": %.0f, ", requests,
              elapsed.count(), requests / elapsed.count());
  std::printf(
      "\"user_us_per_request\": %.3f, \"system_us_per_request\": %.3f, \"cpu_us_per_request\": %.3f, ",
      user / divisor, system / divisor, (user + system) / divisor);
  std::printf("\"user_s_per_gb\": %.4f, \"system_s_per_gb\": %.4f, \"gb_per_second\": %.3f, ",
              user / 1e6 / gigabyte_divisor, system / 1e6 / gigabyte_divisor, gigabytes / elapsed.count());
  if (end.enters && start_.enters)
    std::printf("\"enters_per_request\": %.4f, ",
                static_cast<double>(*end.enters - *start_.enters) / divisor);
  std::printf("\"bytes\": %llu, \"total_bytes\": %llu, \"total_requests\": %llu}\n",
              static_cast<unsigned long long>(end.bytes - start_.bytes),
              static_cast<unsigned long long>(end.bytes), static_cast<unsigned long long>(end.requests));
}

void report_memory(std::uint64_t bytes) {
  std::printf("{\"bytes\": %llu, \"resident_bytes\": %llu, \"peak_resident_bytes\": %llu}\n",
              static_cast<unsigned long long>(bytes), status_bytes("VmRSS:"), status_bytes("VmHWM:"));
  std::fflush(stdout);
}

}  // namespace bench
