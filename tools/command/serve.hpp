// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace sluice::command {

/// The arguments of `sluice serve`.
struct ServeArguments {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  unsigned shards = 1;
  std::string unix_socket;
};

/// Serves the standard routes until SIGINT or SIGTERM. Gives the exit code; throws Failure and Error.
int serve(const ServeArguments& arguments);

}  // namespace sluice::command
