// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "tools/command/fetch_job.hpp"

namespace sluice::command {

/// Which job is next: hosts that have jobs waiting take turns, and no host has more than its share under way.
/// So a slow host holds up its own jobs only.
class HostSchedule {
 public:
  explicit HostSchedule(std::uint32_t per_host) : per_host_(per_host) {}

  void add(FetchJob job);
  /// The next job, which is under way from now on; nothing while every host with jobs has its share.
  std::optional<FetchJob> take();
  /// A job of this host is no longer under way.
  void finished(const std::string& host);

  std::size_t waiting() const noexcept { return waiting_; }
  /// Bytes of the input that the waiting jobs came from.
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

 private:
  struct Host {
    std::deque<FetchJob> jobs;
    std::uint32_t under_way = 0;
    bool has_turn = false;
  };

  void give_turn(const std::string& name, Host& host);

  std::uint32_t per_host_;
  std::unordered_map<std::string, Host> hosts_;
  std::deque<std::string> turns_;  // hosts that may start a job
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace sluice::command
