// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#include <sluice/error.hpp>

namespace sluice::command {

/// Exit codes: curl's where curl has one.
enum ExitCode : int {
  kSuccess = 0,
  kOther = 1,
  kUsage = 2,
  kBadUrl = 3,
  kResolve = 6,
  kConnect = 7,
  kProtocol = 8,
  kPartial = 18,
  kHttpError = 22,
  kWriteOutput = 23,
  kReadInput = 26,
  kTimeout = 28,
  kTls = 35,
  kTooManyRedirects = 47,
  kEmptyReply = 52,
  kSend = 55,
  kReceive = 56,
  kTlsFiles = 58,
  kCertificate = 60,
  kBadCoding = 61,
  kMachine = 71,
  kInterrupted = 130,
};

/// The list of them for --help.
extern const char* const kExitCodesHelp;

/// A reason to end the command: an exit code and one line for the user.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

ExitCode exit_code_of(const Error& error);

}  // namespace sluice::command
