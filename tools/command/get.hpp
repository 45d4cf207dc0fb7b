// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/command/tls_arguments.hpp"

namespace sluice::command {

/// The arguments of `sluice get`.
struct GetArguments {
  std::string url;
  std::string method;
  std::vector<std::string> headers;
  std::vector<std::string> data;
  std::string upload_file;
  std::string output;
  std::string continue_at;
  std::string unix_socket;
  TlsArguments tls;
  std::string max_time;
  std::string connect_timeout;
  std::uint32_t max_redirects = 20;
  bool remote_name = false;
  bool compressed = false;
  bool location = false;
  bool include = false;
  bool head = false;
  bool verbose = false;
  bool silent = false;
  bool no_progress = false;
  bool fail = false;
};

/// Makes one request and delivers its response. Gives the exit code; throws Failure and Error.
int get(const GetArguments& arguments);

}  // namespace sluice::command
