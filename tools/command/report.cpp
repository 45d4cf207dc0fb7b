// SPDX-License-Identifier: MIT
#include "tools/command/report.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace sluice::command {
namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  std::array<char, 256> text;
  va_list arguments;
  va_start(arguments, pattern);
  int size = std::vsnprintf(text.data(), text.size(), pattern, arguments);
  va_end(arguments);
  return std::string(text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1));
}

double microseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string duration_text(double us) {
  if (us < 1e3) return format("%.1f us", us);
  return us < 1e6 ? format("%.2f ms", us / 1e3) : format("%.2f s", us / 1e6);
}

std::string bytes_text(double bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return format(unit == 0 ? "%.0f %s" : "%.2f %s", bytes, kUnits[unit]);
}

double ratio(double value, double by) {
  return by == 0 ? 0 : value / by;
}

/// Figures per request or second; 0 when there was none.
struct Rates {
  Rates(const Tally& tally, CpuTime cpu)
      : requests(static_cast<double>(tally.latency.count())),
        per_second(ratio(requests, tally.seconds)),
        user(ratio(cpu.user, requests)),
        system(ratio(cpu.system, requests)),
        enters(ratio(static_cast<double>(tally.enters), requests)) {}

  double requests;
  double per_second;
  double user;
  double system;
  double enters;
};

}  // namespace

CpuTime CpuTime::now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {microseconds(usage.ru_utime), microseconds(usage.ru_stime)};
}

std::string summary(const Tally& tally, CpuTime cpu) {
  Rates rates(tally, cpu);
  const Latency& latency = tally.latency;
  std::string text = format("requests     %s in %.2f s, %s a second\n", grouped(latency.count()).c_str(),
                            tally.seconds, grouped(static_cast<std::uint64_t>(rates.per_second)).c_str());
  for (std::size_t status = 0; status < tally.statuses.size(); ++status) {
    if (tally.statuses[status] != 0)
      text += format("  %3zu        %s\n", status, grouped(tally.statuses[status]).c_str());
  }
  text += format("errors       %s\n", grouped(tally.error_count()).c_str());
  for (std::size_t kind = 0; kind < tally.errors.size(); ++kind) {
    if (tally.errors[kind] == 0) continue;
    std::string name(to_string(static_cast<ErrorKind>(kind)));
    text += format("  %s  %s\n", name.c_str(), grouped(tally.errors[kind]).c_str());
  }
  if (tally.unfinished != 0)
    text += format("unfinished   %s when the time was over\n", grouped(tally.unfinished).c_str());
  text += format("latency      min %s, mean %s, max %s\n", duration_text(latency.min()).c_str(),
                 duration_text(latency.mean()).c_str(), duration_text(latency.max()).c_str());
  text +=
      format("             p50 %s, p90 %s, p99 %s, p99.9 %s\n", duration_text(latency.quantile(0.5)).c_str(),
             duration_text(latency.quantile(0.9)).c_str(), duration_text(latency.quantile(0.99)).c_str(),
             duration_text(latency.quantile(0.999)).c_str());
  auto body = static_cast<double>(tally.body_bytes), wire = static_cast<double>(tally.wire_bytes);
  text += format("received     %s of bodies, %s on the wire, %s a second\n", bytes_text(body).c_str(),
                 bytes_text(wire).c_str(), bytes_text(ratio(wire, tally.seconds)).c_str());
  text += format("CPU          %.2f us a request: %.2f user, %.2f system\n", rates.user + rates.system,
                 rates.user, rates.system);
  text += format("io_uring     %.3f enters a request\n", rates.enters);
  text += format("connections  %s opened\n", grouped(tally.connections_opened).c_str());
  return text;
}

std::string json_summary(const Tally& tally, CpuTime cpu) {
  using Json = nlohmann::ordered_json;
  Rates rates(tally, cpu);
  const Latency& latency = tally.latency;
  Json errors = Json::object();
  for (std::size_t kind = 0; kind < tally.errors.size(); ++kind) {
    if (tally.errors[kind] != 0)
      errors[std::string(to_string(static_cast<ErrorKind>(kind)))] = tally.errors[kind];
  }
  Json statuses = Json::object();
  for (std::size_t status = 0; status < tally.statuses.size(); ++status) {
    if (tally.statuses[status] != 0) statuses[std::to_string(status)] = tally.statuses[status];
  }
  Json json;
  json["requests"] = latency.count();
  json["errors"] = std::move(errors);
  json["status"] = std::move(statuses);
  json["unfinished"] = tally.unfinished;
  json["seconds"] = tally.seconds;
  json["requests_per_second"] = rates.per_second;
  json["body_bytes"] = tally.body_bytes;
  json["wire_bytes"] = tally.wire_bytes;
  json["latency_us"] = {{"min", latency.min()},          {"mean", latency.mean()},
                        {"p50", latency.quantile(0.5)},  {"p90", latency.quantile(0.9)},
                        {"p99", latency.quantile(0.99)}, {"p99.9", latency.quantile(0.999)},
                        {"max", latency.max()}};
  json["cpu_us_per_request"] = rates.user + rates.system;
  json["user_us_per_request"] = rates.user;
  json["system_us_per_request"] = rates.system;
  json["enters_per_request"] = rates.enters;
  json["connections_opened"] = tally.connections_opened;
  return json.dump() + "\n";
}

std::string live_line(const Tally& tally, double seconds) {
  double rate = ratio(static_cast<double>(tally.latency.count()), seconds);
  return format("%6.1f s  %s requests/s  errors %s  p50 %s  p99 %s", seconds,
                grouped(static_cast<std::uint64_t>(rate)).c_str(), grouped(tally.error_count()).c_str(),
                duration_text(tally.latency.quantile(0.5)).c_str(),
                duration_text(tally.latency.quantile(0.99)).c_str());
}

}  // namespace sluice::command
