// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/result.hpp>
#include <sluice/tls.hpp>

#include "engine/net/fd.hpp"
#include "engine/net/openssl.hpp"

namespace sluice::net {

/// What stands behind a TlsContext: OpenSSL's context, and the settings that it does not know. Immutable, on
/// any thread.
class TlsConfiguration {
 public:
  using Pointer = std::shared_ptr<const TlsConfiguration>;

  /// Reads the files that the options name. Errors: system_error.
  static Result<Pointer> make(const TlsOptions& options);
  /// That of TlsOptions(), made at the first call.
  static const Result<Pointer>& of_process();

  SSL_CTX& context() const noexcept { return *context_; }
  bool verifies() const noexcept { return verifies_; }
  /// The name to send and to verify instead of the URL's; empty: none.
  const std::string& server_name() const noexcept { return server_name_; }
  /// Whether the key of a server's certificate is one of those that were pinned, if any were.
  bool pins_permit(const X509& certificate) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  TlsConfiguration() = default;
  Result<void> set_up(const TlsOptions& options);
  Result<void> set_protocol(const TlsOptions& options);
  Result<void> set_trust(const TlsOptions& options);
  Result<void> set_identity(const TlsOptions& options);
  Result<void> set_pins(const std::vector<std::string>& pins);
  Result<void> open_key_log(const std::string& path);
  static void log_key(const SSL* ssl, const char* line);

  ContextPointer context_;
  std::string server_name_;
  std::vector<Digest> pins_;
  Fd key_log_;
  bool verifies_ = true;
};

}  // namespace sluice::net
