// SPDX-License-Identifier: MIT
#include "engine/net/tls_facts.hpp"

#include "engine/net/tls_certificate.hpp"

namespace sluice {

std::string_view TlsInfo::version() const noexcept {
  return facts_->version;
}
std::string_view TlsInfo::cipher() const noexcept {
  return facts_->cipher;
}
std::string_view TlsInfo::alpn() const noexcept {
  return facts_->alpn;
}
bool TlsInfo::resumed() const noexcept {
  return facts_->resumed;
}
std::string_view TlsInfo::ktls() const noexcept {
  return "none";
}

std::string TlsInfo::subject() const {
  const STACK_OF(X509)* chain = facts_->chain.get();
  return sk_X509_num(chain) > 0 ? net::subject_of(*sk_X509_value(chain, 0)) : "";
}
std::string TlsInfo::issuer() const {
  const STACK_OF(X509)* chain = facts_->chain.get();
  return sk_X509_num(chain) > 0 ? net::issuer_of(*sk_X509_value(chain, 0)) : "";
}

std::vector<TlsCertificate> TlsInfo::chain() const {
  std::vector<TlsCertificate> result;
  for (int i = 0; i < sk_X509_num(facts_->chain.get()); ++i) {
    const X509& certificate = *sk_X509_value(facts_->chain.get(), i);
    result.emplace_back(net::subject_of(certificate), net::issuer_of(certificate),
                        net::time_text(X509_get0_notBefore(&certificate)),
                        net::time_text(X509_get0_notAfter(&certificate)));
  }
  return result;
}

}  // namespace sluice
