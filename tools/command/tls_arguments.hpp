// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <sluice/response.hpp>
#include <sluice/tls.hpp>

namespace sluice::command {

/// The arguments about TLS that the commands with a client have in common.
struct TlsArguments {
  std::string ca_file;
  std::string certificate;
  std::string key;
  bool insecure = false;
  std::string minimum_version;
  std::string maximum_version;
  std::string ciphers;
  std::string server_name;
  std::string pins;
};

/// Throws Failure when they mean nothing, or a file cannot be used.
TlsContext tls_context(const TlsArguments& arguments);

/// What was negotiated, and with whom, in lines that begin with "* "; empty without TLS.
std::string describe_tls(const ResponseBase& response);

}  // namespace sluice::command
