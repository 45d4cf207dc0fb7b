// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/command/tls_arguments.hpp"

namespace sluice::command {

/// Where the body of a response goes.
enum class BodyMode : std::uint8_t { inline_, file, discard };

/// The arguments of `sluice fetch`.
struct FetchArguments {
  std::string input = "-";
  std::uint32_t concurrency = 100;
  std::uint32_t per_host = 8;
  BodyMode body = BodyMode::inline_;
  std::string output_dir;
  bool raw = false;
  std::optional<std::uint64_t> max_body;  ///< bytes
  std::optional<double> rate;             ///< requests a second
  std::string timeout = "30s";
  std::string max_time;
  std::vector<std::string> headers;
  bool location = false;
  std::uint32_t max_redirects = 20;
  std::string unix_socket;
  TlsArguments tls;
  bool progress = false;
};

/// Makes the requests of a list and writes a row of JSON for each. Gives the exit code; throws Failure and
/// Error.
int fetch(const FetchArguments& arguments);

}  // namespace sluice::command
