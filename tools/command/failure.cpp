// SPDX-License-Identifier: MIT
#include "tools/command/failure.hpp"

namespace sluice::command {

const char* const kExitCodesHelp =
    "Exit codes:\n"
    "   0  a response was received and delivered (with --fail: and its status is below 400)\n"
    "   1  something else went wrong\n"
    "   2  the command line is wrong\n"
    "   3  the URL is wrong, or its scheme is not http or https\n"
    "   6  the host's name has no address\n"
    "   7  connecting failed\n"
    "   8  the server does not speak HTTP/1.x\n"
    "  18  the response was cut short\n"
    "  22  the status is 400 or above (with --fail)\n"
    "  23  the output cannot be written\n"
    "  26  the file for the request's body cannot be read\n"
    "  28  time ran out\n"
    "  35  the TLS handshake failed\n"
    "  47  too many redirects (with --location)\n"
    "  52  the server closed the connection without a response\n"
    "  55  sending failed\n"
    "  56  receiving failed\n"
    "  58  the arguments about TLS, or their files, cannot be used\n"
    "  60  the server's certificate is not believed\n"
    "  61  the body cannot be decompressed (with --compressed)\n"
    "  71  this machine refuses io_uring, memory or a port\n"
    " 130  interrupted";

namespace {

ExitCode code_of_connect_error(const Error& error) {
  if (error.phase() == Phase::resolve) return kResolve;
  if (error.phase() != Phase::tls) return kConnect;
  bool certificate = error.facts().library_code.find("certificate verify failed") != std::string::npos;
  return certificate ? kCertificate : kTls;
}

ExitCode code_of_protocol_error(const Error& error) {
  if (error.phase() == Phase::body) return kPartial;
  return error.facts().bytes_received == 0 ? kEmptyReply : kProtocol;
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
  if (error.is_timeout() || error.kind() == ErrorKind::deadline_exceeded) return kTimeout;
  switch (error.kind()) {
    case ErrorKind::invalid_url:
    case ErrorKind::unsupported_protocol:
      return kBadUrl;
    case ErrorKind::connect_error:
      return code_of_connect_error(error);
    case ErrorKind::remote_protocol_error:
      return code_of_protocol_error(error);
    case ErrorKind::decoding_error:
      return kBadCoding;
    case ErrorKind::too_many_redirects:
      return kTooManyRedirects;
    case ErrorKind::local_protocol_error:
      return kUsage;
    case ErrorKind::write_error:
      return kSend;
    case ErrorKind::read_error:
      return kReceive;
    case ErrorKind::system_error:
      return kMachine;
    default:
      return kOther;
  }
}

}  // namespace sluice::command
