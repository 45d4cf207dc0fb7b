// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/support/certificates.hpp"
#include "tests/support/peer.hpp"

/// TLS servers for tests: OpenSSL on the blocking sockets of a Peer.
namespace sluice::testing {

struct FreeOpenssl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// A server's context, which scripts and tests may change before it is used.
class ServerContext {
 public:
  explicit ServerContext(const Identity& identity) : context_(SSL_CTX_new(TLS_server_method())) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2)
    SSL_CTX_set_security_level(raw(), 0);
    SSL_CTX_set_cipher_list(raw(), "ALL:@SECLEVEL=0");
    if (SSL_CTX_use_certificate_chain_file(raw(), identity.certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(raw(), identity.key.c_str(), SSL_FILETYPE_PEM) != 1)
      throw std::runtime_error("the test's certificate cannot be used");
    SSL_CTX_set_session_id_context(raw(), reinterpret_cast<const unsigned char*>("test"), 4);
  }
  ServerContext& version(int version) {
    SSL_CTX_set_min_proto_version(raw(), version);
    SSL_CTX_set_max_proto_version(raw(), version);
    return *this;
  }
  SSL_CTX* raw() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, FreeOpenssl> context_;
};

/// A server's end of a TLS connection.
class TlsConnection {
 public:
  TlsConnection(PeerConnection& connection, const ServerContext& context)
      : connection_(&connection), ssl_(SSL_new(context.raw())) {
    SSL_set_fd(ssl_.get(), connection.descriptor());
  }

  bool accept() { return SSL_accept(ssl_.get()) == 1; }
  /// Up to `count` bytes; fewer at the end.
  std::string read(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t size = 0;
    while (size < count) {
      int result = SSL_read(ssl_.get(), bytes.data() + size, static_cast<int>(count - size));
      if (result <= 0) break;
      size += static_cast<std::size_t>(result);
    }
    bytes.resize(size);
    return bytes;
  }
  std::optional<ReceivedRequest> read_request() {
    ReceivedRequest request;
    while (!request.head.ends_with("\r\n\r\n")) {
      std::string byte = read(1);
      if (byte.empty()) return std::nullopt;
      request.head += byte;
    }
    std::string length = request.field("content-length");
    if (length != "-") request.body = read(std::strtoull(length.c_str(), nullptr, 10));
    return request;
  }
  bool send(std::string_view bytes) {
    return bytes.empty() || SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  void close_notify() { SSL_shutdown(ssl_.get()); }
  PeerConnection& tcp() { return *connection_; }
  SSL* ssl() { return ssl_.get(); }

 private:
  PeerConnection* connection_;
  std::unique_ptr<SSL, FreeOpenssl> ssl_;
};

/// A Peer's script that shakes hands and then plays `script`.
inline Peer::Script over_tls(const ServerContext& context, std::function<void(TlsConnection&)> script) {
  return [&context, script = std::move(script)](PeerConnection& connection) {
    TlsConnection tls(connection, context);
    if (tls.accept()) script(tls);
    ERR_clear_error();
  };
}
/// One that answers every request, until the client closes; then it says goodbye.
inline Peer::Script answering_over_tls(const ServerContext& context, std::string response) {
  return over_tls(context, [response = std::move(response)](TlsConnection& tls) {
    while (tls.read_request() && tls.send(response)) {
    }
    tls.close_notify();
  });
}

/// A Peer's URL with https, by name or by address.
inline std::string https_url(const Peer& peer, std::string_view path = "/",
                             std::string_view host = "localhost") {
  return "https://" + std::string(host) + ":" + std::to_string(peer.port()) + std::string(path);
}

}  // namespace sluice::testing
