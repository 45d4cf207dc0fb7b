// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <sluice/client.hpp>
#include <sluice/headers.hpp>

#include "tools/command/fetch.hpp"

namespace sluice::command {

/// What a fetch does, with every argument understood.
class FetchPlan {
 public:
  /// Throws Failure when the arguments make no sense, before anything is sent. Makes the output folder.
  explicit FetchPlan(const FetchArguments& arguments);

  ClientOptions client_options() const;
  /// A request of the list, with what the arguments say about all of them.
  Request make_request(AsyncClient& client, Method method, const std::string& url) const;

  const FetchArguments& arguments() const noexcept { return *arguments_; }
  /// For all of a request; kNoTimeout if there is no limit.
  Duration max_time() const noexcept { return max_time_; }
  /// Between the starts of two requests; zero: as fast as they are answered.
  Duration interval() const noexcept { return interval_; }
  std::uint64_t max_body_bytes() const noexcept { return max_body_bytes_; }

 private:
  const FetchArguments* arguments_;
  Duration timeout_;
  Duration max_time_;
  Duration interval_{};
  std::uint64_t max_body_bytes_;
  TlsContext tls_;
};

}  // namespace sluice::command
