// SPDX-License-Identifier: MIT
#include "engine/net/tls_certificate.hpp"

#include <cstdio>
#include <ctime>
#include <vector>

#include <arpa/inet.h>

namespace sluice::net {
namespace {

constexpr std::size_t kMostNames = 8;
constexpr std::size_t kLongestName = 253;

std::string text_of(const X509_NAME* name) {
  BioPointer out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* text = nullptr;
  long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "(no name)";
}

/// A name from a certificate, which may hold anything.
std::string printable(const ASN1_STRING& name) {
  std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(&name)),
                   static_cast<std::size_t>(ASN1_STRING_length(&name)));
  for (char& c : text) c = c > ' ' && c < 0x7f ? c : '?';
  if (text.size() > kLongestName) text = text.substr(0, kLongestName) + "...";
  return text;
}

std::string address_text(const ASN1_OCTET_STRING& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  int size = ASN1_STRING_length(&address);
  if (size == 4 || size == 16)
    inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(&address), text, sizeof(text));
  return text;
}

/// The names that a certificate is for.
std::string names_of(const X509& certificate) {
  NamesPointer names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> found;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME& name = *sk_GENERAL_NAME_value(names.get(), i);
    if (name.type == GEN_DNS) found.push_back(printable(*name.d.dNSName));
    if (name.type == GEN_IPADD) found.push_back(address_text(*name.d.iPAddress));
  }
  if (found.empty()) return "names no host (subject " + subject_of(certificate) + ")";
  std::string text = "is for ";
  for (std::size_t i = 0; i < found.size() && i < kMostNames; ++i) text += (i != 0 ? ", " : "") + found[i];
  if (found.size() > kMostNames) text += " and " + std::to_string(found.size() - kMostNames) + " more";
  return text;
}

std::string key_text(const X509& certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key == nullptr) return "an unknown key";
  const char* type = EVP_PKEY_get0_type_name(key);
  return std::string(type != nullptr ? type : "a key") + " of " + std::to_string(EVP_PKEY_get_bits(key)) +
         " bits";
}

}  // namespace

std::string subject_of(const X509& certificate) {
  return text_of(X509_get_subject_name(&certificate));
}
std::string issuer_of(const X509& certificate) {
  return text_of(X509_get_issuer_name(&certificate));
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

std::string describe_certificate_problem(X509_STORE_CTX& verification, std::string_view host) {
  int code = X509_STORE_CTX_get_error(&verification);
  const X509* certificate = X509_STORE_CTX_get_current_cert(&verification);
  if (certificate == nullptr) certificate = X509_STORE_CTX_get0_cert(&verification);
  if (certificate == nullptr) return X509_verify_cert_error_string(code);
  const std::string whose = "the certificate of " + subject_of(*certificate);
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return whose + " expired on " + time_text(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return whose + " is not valid before " + time_text(X509_get0_notBefore(certificate));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is not for " + std::string(host) + ": it " + names_of(*certificate);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return whose + " is self-signed and not trusted";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "the chain ends at a root that is not trusted: " + subject_of(*certificate);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return whose + " has an unknown issuer, " + issuer_of(*certificate) +
             " (it is not trusted, or the server did not send a certificate in between)";
    case X509_V_ERR_CERT_REVOKED:
      return whose + " has been revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return "there is no revocation list of " + issuer_of(*certificate);
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return "the revocation list of " + issuer_of(*certificate) + " has expired";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return whose + " has a key that is too weak: " + key_text(*certificate);
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return whose + " has a signature that is too weak: " + OBJ_nid2ln(X509_get_signature_nid(certificate));
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
      return whose + " has a name that the name constraints of its issuer do not permit";
    default:
      return whose + ": " + X509_verify_cert_error_string(code);
  }
}

}  // namespace sluice::net
