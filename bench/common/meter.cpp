// SPDX-License-Identifier: MIT
#include "bench/common/meter.hpp"

#include <algorithm>
#include <cstdio>

#include <sys/resource.h>

namespace bench {
namespace {

double microseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
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
  auto requests = static_cast<double>(end.requests - start_.requests);
  double divisor = std::max(requests, 1.0);
  double user = (end_cpu.user_us - start_cpu_.user_us) / divisor;
  double system = (end_cpu.system_us - start_cpu_.system_us) / divisor;
  std::printf("{\"requests\": %.0f, \"seconds\": %.3f, \"requests_per_second\": %.0f, ", requests,
              elapsed.count(), requests / elapsed.count());
  std::printf(
      "\"user_us_per_request\": %.3f, \"system_us_per_request\": %.3f, \"cpu_us_per_request\": %.3f, ", user,
      system, user + system);
  if (end.enters && start_.enters)
    std::printf("\"enters_per_request\": %.4f, ",
                static_cast<double>(*end.enters - *start_.enters) / divisor);
  double gigabytes = std::max(static_cast<double>(end.bytes - start_.bytes), 1.0) / 1e9;
  std::printf("\"user_s_per_gb\": %.4f, \"system_s_per_gb\": %.4f, \"gb_per_second\": %.3f, ",
              user * divisor / 1e6 / gigabytes, system * divisor / 1e6 / gigabytes,
              gigabytes / elapsed.count());
  std::printf("\"bytes\": %llu, \"total_bytes\": %llu, \"total_requests\": %llu}\n",
              static_cast<unsigned long long>(end.bytes - start_.bytes),
              static_cast<unsigned long long>(end.bytes), static_cast<unsigned long long>(end.requests));
}

}  // namespace bench
