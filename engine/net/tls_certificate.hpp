// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "engine/net/openssl.hpp"

namespace sluice::net {

// Certificates in words. Texts hold no control characters, whatever a certificate holds.

/// "CN=example.org,O=Example".
std::string subject_of(const X509& certificate);
std::string issuer_of(const X509& certificate);
/// "2026-01-31 12:00:00 UTC".
std::string time_text(const ASN1_TIME* time);

/// What is wrong, after a verification of a certificate chain has failed: "the certificate of CN=x expired on
/// ...". `host` is the name that was looked for.
std::string describe_certificate_problem(X509_STORE_CTX& verification, std::string_view host);

}  // namespace sluice::net
