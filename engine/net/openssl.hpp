// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace sluice::net {

/// Owners of OpenSSL's objects.
template <auto kFree>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
inline void free_chain(STACK_OF(X509) * chain) {
  sk_X509_pop_free(chain, X509_free);
}

using ContextPointer = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPointer = std::unique_ptr<SSL, OpensslFree<SSL_free>>;
using BioPointer = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using X509Pointer = std::unique_ptr<X509, OpensslFree<X509_free>>;
using CrlPointer = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using NamesPointer = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;
using ChainPointer = std::unique_ptr<STACK_OF(X509), OpensslFree<free_chain>>;

}  // namespace sluice::net
