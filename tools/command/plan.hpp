// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/client.hpp>

#include "tools/command/load.hpp"

namespace sluice::command {

/// What a load does, with every argument understood.
class Plan {
 public:
  /// Throws Failure when the arguments make no sense, before anything is sent.
  explicit Plan(const LoadArguments& arguments);

  /// A shard's part of the whole.
  struct Share {
    std::uint32_t connections = 0;
    std::optional<std::uint64_t> requests;
    Duration interval{};     ///< between the starts of two requests; zero: as fast as they are answered
    Duration first_start{};  ///< of its first request, so that the shards take turns
  };
  Share share_of(unsigned shard) const;

  unsigned shards() const noexcept { return shards_; }
  std::uint32_t connections() const noexcept { return connections_; }
  const std::string& url() const noexcept { return url_; }
  /// How long to go on; nothing: until all requests are done.
  std::optional<Duration> duration() const noexcept { return duration_; }

  ClientOptions client_options(const Share& share) const;
  Request make_request(AsyncClient& client) const;

 private:
  const LoadArguments* arguments_;
  std::string url_;
  std::string body_;
  Duration timeout_;
  TlsContext tls_;
  std::optional<Duration> duration_;
  std::uint32_t connections_;
  unsigned shards_;
};

}  // namespace sluice::command
