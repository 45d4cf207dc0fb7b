// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/command/tls_arguments.hpp"

namespace sluice::command {

/// The arguments of `sluice load`.
struct LoadArguments {
  std::string url;
  std::uint32_t connections = 64;
  std::optional<std::string> duration;
  std::optional<std::uint64_t> requests;
  std::uint32_t shards = 1;
  std::optional<double> rate;
  std::string method;
  std::vector<std::string> headers;
  std::string body;
  std::string timeout = "5s";
  std::string unix_socket;
  TlsArguments tls;
  bool keep = false;
  bool decode = false;
  bool json = false;
};

/// Sends requests as fast as they are answered, or at a rate, and reports. Gives the exit code; throws
/// Failure and Error.
int load(const LoadArguments& arguments);

}  // namespace sluice::command
