// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <sluice/tls.hpp>

#include "engine/net/openssl.hpp"

namespace sluice::net {

/// What stands behind a TlsInfo. The texts of the certificates are made when they are asked for: most
/// responses are never asked.
struct TlsFacts {
  std::string_view version;  // of static storage, as is the cipher
  std::string_view cipher;
  std::string alpn;
  bool resumed = false;
  ChainPointer chain;
};

}  // namespace sluice::net
