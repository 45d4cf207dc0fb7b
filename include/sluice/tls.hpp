// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {

namespace net {
class TlsConfiguration;
struct TlsFacts;
}  // namespace net

namespace detail {
class ClientCore;
}

enum class TlsVersion : std::uint8_t { tls1_0, tls1_1, tls1_2, tls1_3 };

/// The settings of a TlsContext. Setters return the object, so that options can be written in one expression.
///
/// By default the server's certificate must lead to the system's trust store (or SSL_CERT_FILE and
/// SSL_CERT_DIR), and must name the host of the URL (RFC 6125, subjectAltName only); TLS 1.2 and 1.3.
class TlsOptions {
 public:
  /// Trust what stands in a PEM file, in a folder with OpenSSL's hashed names, or in PEM text. These replace
  /// the system's trust store and add to each other.
  TlsOptions& ca_file(std::string_view path);
  TlsOptions& ca_directory(std::string_view path);
  TlsOptions& ca_pem(std::string_view text);
  /// Revocation lists in a PEM file. There must be one for each issuer of the chain.
  TlsOptions& crl_file(std::string_view path);
  /// With false, any certificate will do and the connection is open to whoever stands between. Said once per
  /// context to on_warning(). Pins still hold.
  TlsOptions& verify(bool on);
  /// Gets the warning of a context that does not verify; by default it is a line on standard error.
  TlsOptions& on_warning(std::function<void(std::string_view)> log);

  /// The client's own certificate and those between it and its root, and its private key: PEM files or text.
  TlsOptions& certificate_file(std::string_view path);
  TlsOptions& certificate_pem(std::string_view text);
  TlsOptions& key_file(std::string_view path);
  TlsOptions& key_pem(std::string_view text);
  TlsOptions& key_password(std::string_view password);

  TlsOptions& minimum_version(TlsVersion version);
  TlsOptions& maximum_version(TlsVersion version);
  /// OpenSSL's names with ":" between them; those that begin with "TLS_" are the suites of TLS 1.3. Servers
  /// that only speak TLS 1.0 or 1.1 or have weak keys also need "@SECLEVEL=0" here.
  TlsOptions& ciphers(std::string_view names);
  /// The protocols that are offered; none: the extension is left out. By default "http/1.1", which is all
  /// that a client can speak.
  TlsOptions& alpn(std::vector<std::string> protocols);
  /// Sent (SNI) and verified instead of the URL's host; for all requests of a client.
  TlsOptions& server_name(std::string_view name);
  /// The server's own public key must be one of these: "sha256//" and the base64 of the SHA-256 of its
  /// SubjectPublicKeyInfo, several with ";" between them. Added to what was pinned before.
  TlsOptions& pin_public_key(std::string_view pins);
  /// Appends the secrets of every connection to this file, so that a packet capture can be read; by default
  /// to the one that the environment variable SSLKEYLOGFILE names.
  TlsOptions& key_log_file(std::string_view path);

 private:
  friend class net::TlsConfiguration;

  /// PEM text, or the path of a file with it.
  class Pem {
   public:
    Pem() = default;
    Pem(bool is_path, std::string_view path_or_text) : is_file(is_path), text(path_or_text) {}
    bool is_file = false;
    std::string text;  // none: not stated
  };

  bool verify_ = true;
  std::function<void(std::string_view)> on_warning_;
  std::vector<Pem> authorities_;
  std::vector<std::string> authority_directories_;
  std::vector<std::string> crl_files_;
  Pem certificate_;
  Pem key_;
  std::string key_password_;
  TlsVersion minimum_version_ = TlsVersion::tls1_2;
  TlsVersion maximum_version_ = TlsVersion::tls1_3;
  std::string ciphers_;
  std::vector<std::string> alpn_{"http/1.1"};
  std::string server_name_;
  std::vector<std::string> pins_;
  std::string key_log_file_;
};

/// How the clients of a process speak TLS: made once, immutable, and shared by copying, which costs a
/// reference count. Files are read and certificates parsed when it is made.
///
/// Threading: may be copied and used on any number of threads.
class TlsContext {
 public:
  /// The default context of the process, which is made when the first https request needs it.
  TlsContext() = default;
  /// Throws SystemError when a file cannot be read, or a setting means nothing.
  explicit TlsContext(const TlsOptions& options);

 private:
  friend class detail::ClientCore;
  std::shared_ptr<const net::TlsConfiguration> configuration_;  // none: that of the process
};

/// The tickets with which connections of a client resume earlier ones.
struct TlsTicketStats {
  std::uint64_t stored = 0;
  std::uint64_t offered = 0;  ///< taken for a handshake
  std::uint64_t resumed = 0;  ///< handshakes in which the server took one
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;  ///< for want of room
};
static_assert(std::is_trivially_copyable_v<TlsTicketStats>);

/// A certificate in words.
class TlsCertificate {
 public:
  TlsCertificate(std::string its_subject, std::string its_issuer, std::string valid_from,
                 std::string valid_until)
      : subject(std::move(its_subject)),
        issuer(std::move(its_issuer)),
        not_before(std::move(valid_from)),
        not_after(std::move(valid_until)) {}

  std::string subject;  ///< "CN=example.org,O=Example" (RFC 4514, or close to it)
  std::string issuer;
  std::string not_before;  ///< "2026-01-31 12:00:00 UTC"
  std::string not_after;
};

/// What was negotiated on the connection of a response. Cheap to copy; may be kept and passed to any thread.
class TlsInfo {
 public:
  std::string_view version() const noexcept;  ///< "TLSv1.3"
  std::string_view cipher() const noexcept;   ///< "TLS_AES_128_GCM_SHA256"
  std::string_view alpn() const noexcept;     ///< "http/1.1", or empty: the server chose none
  bool resumed() const noexcept;              ///< by a ticket of an earlier connection
  /// Which directions the kernel encrypts: always "none" for now.
  std::string_view ktls() const noexcept;
  /// The subject and issuer of the server's own certificate.
  std::string subject() const;
  std::string issuer() const;
  /// The certificates as the server sent them, its own first.
  std::vector<TlsCertificate> chain() const;

 private:
  friend class ResponseBase;
  explicit TlsInfo(std::shared_ptr<const net::TlsFacts> facts) noexcept : facts_(std::move(facts)) {}

  std::shared_ptr<const net::TlsFacts> facts_;
};

}  // namespace sluice
