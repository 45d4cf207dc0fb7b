// SPDX-License-Identifier: MIT
#include "tools/command/host_schedule.hpp"

#include <utility>

namespace sluice::command {

void HostSchedule::add(FetchJob job) {
  ++waiting_;
  waiting_bytes_ += job.input_bytes;
  std::string name = job.host;
  Host& host = hosts_[name];
  host.jobs.push_back(std::move(job));
  give_turn(name, host);
}

std::optional<FetchJob> HostSchedule::take() {
  if (turns_.empty()) return std::nullopt;
  std::string name = std::move(turns_.front());
  turns_.pop_front();
  Host& host = hosts_[name];
  host.has_turn = false;
  FetchJob job = std::move(host.jobs.front());
  host.jobs.pop_front();
  ++host.under_way;
  --waiting_;
  waiting_bytes_ -= job.input_bytes;
  give_turn(name, host);
  return job;
}

void HostSchedule::finished(const std::string& name) {
  auto place = hosts_.find(name);
  Host& host = place->second;
  --host.under_way;
  give_turn(name, host);
  if (host.under_way == 0 && host.jobs.empty()) hosts_.erase(place);  // there may be millions
}

void HostSchedule::give_turn(const std::string& name, Host& host) {
  if (host.has_turn || host.jobs.empty() || host.under_way >= per_host_) return;
  host.has_turn = true;
  turns_.push_back(name);
}

}  // namespace sluice::command
