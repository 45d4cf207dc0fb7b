// SPDX-License-Identifier: MIT
#include "engine/net/tls_configuration.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/uio.h>

#include "engine/net/tls_session.hpp"

namespace sluice::net {
namespace {

constexpr int kSecurityLevel = 2;  // 112 bits: RSA of 2048 bits, no SHA-1; whatever the system's defaults are
constexpr std::size_t kLongestProtocol = 255;

/// OpenSSL's own words for the last failure.
std::string last_failure() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason != nullptr ? reason : "unknown failure";
  ERR_clear_error();
  return text;
}

Error refusal(std::string message, int code = 0) {
  Error::Facts facts(ErrorKind::system_error, Phase::setup, "TLS: " + std::move(message));
  facts.system_code = code;
  return Error(std::move(facts));
}

/// Text from which PEM objects are read, and where it came from, for messages.
struct PemText {
  std::string source;
  std::string text;
};

Result<PemText> read_pem_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  PemText pem{path, std::string(std::istreambuf_iterator<char>(file), {})};
  if (!file || file.bad()) return refusal(path + " cannot be read: " + std::strerror(errno), errno);
  return pem;
}

BioPointer reader_of(const std::string& text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Calls `use` for each object of a PEM text, as `read` finds them.
template <class Read, class Use>
Result<void> for_each_in(const PemText& pem, const char* what, Read read, Use use) {
  BioPointer reader = reader_of(pem.text);
  std::size_t count = 0;
  for (auto object = read(reader.get()); object != nullptr; object = read(reader.get()), ++count) {
    if (!use(std::move(object))) return refusal(pem.source + ": " + last_failure());
  }
  ERR_clear_error();  // the end of the text is an error to OpenSSL
  if (count == 0) return refusal(pem.source + " holds no " + what);
  return {};
}

X509Pointer read_certificate(BIO* reader) {
  return X509Pointer(PEM_read_bio_X509_AUX(reader, nullptr, nullptr, nullptr));
}
CrlPointer read_crl(BIO* reader) {
  return CrlPointer(PEM_read_bio_X509_CRL(reader, nullptr, nullptr, nullptr));
}

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

int number_of(TlsVersion version) {
  switch (version) {
    case TlsVersion::tls1_0:
      return TLS1_VERSION;
    case TlsVersion::tls1_1:
      return TLS1_1_VERSION;
    case TlsVersion::tls1_2:
      return TLS1_2_VERSION;
    case TlsVersion::tls1_3:
      break;
  }
  return TLS1_3_VERSION;
}

/// The names of a list with ":" between them, those of TLS 1.3 apart from the others.
struct CipherNames {
  explicit CipherNames(std::string_view names) {
    while (!names.empty()) {
      std::string_view name = names.substr(0, names.find(':'));
      names.remove_prefix(std::min(name.size() + 1, names.size()));
      std::string& list = name.starts_with("TLS_") ? suites : older;
      if (!list.empty()) list += ':';
      list += name;
    }
  }
  std::string suites;
  std::string older;
};

bool sha256_of_key(const X509& certificate, unsigned char* digest) {
  unsigned char* key = nullptr;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &key);
  if (size <= 0) return false;
  bool done = EVP_Digest(key, static_cast<std::size_t>(size), digest, nullptr, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(key);
  return done;
}

void warn_on_stderr(std::string_view text) {
  std::fprintf(stderr, "sluice: warning: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace

Result<TlsConfiguration::Pointer> TlsConfiguration::make(const TlsOptions& options) {
  std::shared_ptr<TlsConfiguration> self(new TlsConfiguration());
  ERR_clear_error();
  self->context_.reset(SSL_CTX_new(TLS_client_method()));
  if (self->context_ == nullptr) return refusal(last_failure());
  if (auto done = self->set_up(options); !done) return std::move(done).error();
  return Pointer(std::move(self));
}

const Result<TlsConfiguration::Pointer>& TlsConfiguration::of_process() {
  static const Result<Pointer> configuration = make(TlsOptions());
  return configuration;
}

Result<void> TlsConfiguration::set_up(const TlsOptions& options) {
  if (auto done = set_protocol(options); !done) return done;
  if (auto done = set_trust(options); !done) return done;
  if (auto done = set_identity(options); !done) return done;
  if (auto done = set_pins(options.pins_); !done) return done;
  server_name_ = options.server_name_;
  const char* path = options.key_log_file_.empty() ? std::getenv("SSLKEYLOGFILE") : nullptr;
  if (auto done = open_key_log(path != nullptr ? path : options.key_log_file_); !done) return done;
  if (verifies_) return {};
  const auto& warn = options.on_warning_;
  (warn ? warn : warn_on_stderr)("the certificates of https servers are not verified (verify is off)");
  return {};
}

Result<void> TlsConfiguration::set_protocol(const TlsOptions& options) {
  SSL_CTX& context = *context_;
  SSL_CTX_set_app_data(&context, this);
  SSL_CTX_set_security_level(&context, kSecurityLevel);
  SSL_CTX_set_options(&context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS);
  TlsSession::prepare(context);
  if (options.minimum_version_ > options.maximum_version_)
    return refusal("the minimum version is above the maximum");
  SSL_CTX_set_min_proto_version(&context, number_of(options.minimum_version_));
  SSL_CTX_set_max_proto_version(&context, number_of(options.maximum_version_));

  CipherNames ciphers(options.ciphers_);
  if (!ciphers.older.empty() && SSL_CTX_set_cipher_list(&context, ciphers.older.c_str()) != 1)
    return refusal("no cipher in '" + ciphers.older + "' is known");
  if (!ciphers.suites.empty() && SSL_CTX_set_ciphersuites(&context, ciphers.suites.c_str()) != 1)
    return refusal("not all of the suites '" + ciphers.suites + "' are known");
  ERR_clear_error();

  std::vector<unsigned char> protocols;
  for (const std::string& name : options.alpn_) {
    if (name.empty() || name.size() > kLongestProtocol)
      return refusal("'" + name + "' is no name of a protocol (ALPN)");
    protocols.push_back(static_cast<unsigned char>(name.size()));
    protocols.insert(protocols.end(), name.begin(), name.end());
  }
  if (!protocols.empty())
    SSL_CTX_set_alpn_protos(&context, protocols.data(), static_cast<unsigned>(protocols.size()));
  return {};
}

Result<void> TlsConfiguration::set_trust(const TlsOptions& options) {
  verifies_ = options.verify_;
  SSL_CTX_set_verify(context_.get(), verifies_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     SSL_CTX_get_verify_callback(context_.get()));
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  bool own_store = !options.authorities_.empty() || !options.authority_directories_.empty();
  if (!own_store && verifies_) SSL_CTX_set_default_verify_paths(context_.get());
  for (const TlsOptions::Pem& pem : options.authorities_) {
    auto text = pem.is_file ? read_pem_file(pem.text) : PemText{"the text of authorities", pem.text};
    if (!text) return std::move(text).error();
    auto added = for_each_in(*text, "certificate", read_certificate, [&](X509Pointer certificate) {
      return X509_STORE_add_cert(store, certificate.get()) == 1;
    });
    if (!added) return added;
  }
  for (const std::string& path : options.authority_directories_) {
    if (X509_STORE_load_path(store, path.c_str()) != 1) return refusal(path + ": " + last_failure());
  }
  for (const std::string& path : options.crl_files_) {
    auto text = read_pem_file(path);
    if (!text) return std::move(text).error();
    auto added = for_each_in(*text, "revocation list", read_crl,
                             [&](CrlPointer list) { return X509_STORE_add_crl(store, list.get()) == 1; });
    if (!added) return added;
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  ERR_clear_error();  // of what the system's trust store lacks
  return {};
}

Result<void> TlsConfiguration::set_identity(const TlsOptions& options) {
  if (options.certificate_.text.empty()) return {};
  const TlsOptions::Pem& key = options.key_.text.empty() ? options.certificate_ : options.key_;
  auto chain = options.certificate_.is_file ? read_pem_file(options.certificate_.text)
                                            : PemText{"the client's certificate", options.certificate_.text};
  if (!chain) return std::move(chain).error();
  bool first = true;
  auto used = for_each_in(*chain, "certificate", read_certificate, [&](X509Pointer certificate) {
    bool is_own = std::exchange(first, false);
    return (is_own ? SSL_CTX_use_certificate(context_.get(), certificate.get())
                   : static_cast<int>(SSL_CTX_add1_chain_cert(context_.get(), certificate.get()))) == 1;
  });
  if (!used) return used;

  auto text = key.is_file ? read_pem_file(key.text) : PemText{"the client's private key", key.text};
  if (!text) return std::move(text).error();
  auto password = options.key_password_;
  KeyPointer private_key(
      PEM_read_bio_PrivateKey(reader_of(text->text).get(), nullptr, give_password, &password));
  if (private_key == nullptr)
    return refusal(text->source + " holds no private key that can be read (" + last_failure() +
                   "); is the password right?");
  if (SSL_CTX_use_PrivateKey(context_.get(), private_key.get()) != 1)
    return refusal("the private key does not belong to the client's certificate (" + last_failure() + ")");
  return {};
}

Result<void> TlsConfiguration::set_pins(const std::vector<std::string>& pins) {
  constexpr std::string_view kPrefix = "sha256//";
  for (const std::string& pin : pins) {
    constexpr int kCodedSize = 44;  // of 32 bytes, with one "=" at the end
    std::array<unsigned char, 33> decoded{};
    std::string_view coded = std::string_view(pin).substr(std::min(kPrefix.size(), pin.size()));
    bool right = pin.starts_with(kPrefix) && coded.size() == kCodedSize && coded.ends_with('=') &&
                 EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(coded.data()),
                                 kCodedSize) == static_cast<int>(decoded.size());
    if (!right) return refusal("'" + pin + "' is no pin: it must be 'sha256//' and 44 characters of base64");
    std::copy_n(decoded.begin(), std::tuple_size_v<Digest>, pins_.emplace_back().begin());
  }
  return {};
}

bool TlsConfiguration::pins_permit(const X509& certificate) const {
  if (pins_.empty()) return true;
  Digest digest;
  return sha256_of_key(certificate, digest.data()) &&
         std::find(pins_.begin(), pins_.end(), digest) != pins_.end();
}

Result<void> TlsConfiguration::open_key_log(const std::string& path) {
  if (path.empty()) return {};
  key_log_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!key_log_) return refusal(path + " cannot be written: " + std::strerror(errno), errno);
  SSL_CTX_set_keylog_callback(context_.get(), log_key);
  return {};
}

/// One write for each line: other threads and processes may append to the same file.
void TlsConfiguration::log_key(const SSL* ssl, const char* line) {
  const auto& self = *static_cast<const TlsConfiguration*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  char end = '\n';
  iovec parts[] = {{const_cast<char*>(line), std::strlen(line)}, {&end, 1}};
  (void)!::writev(self.key_log_.number(), parts, 2);
}

}  // namespace sluice::net

namespace sluice {

TlsContext::TlsContext(const TlsOptions& options) {
  configuration_ = net::TlsConfiguration::make(options).value();
}

TlsOptions& TlsOptions::ca_file(std::string_view path) {
  authorities_.emplace_back(true, path);
  return *this;
}

TlsOptions& TlsOptions::ca_directory(std::string_view path) {
  authority_directories_.emplace_back(path);
  return *this;
}

TlsOptions& TlsOptions::ca_pem(std::string_view text) {
  authorities_.emplace_back(false, text);
  return *this;
}

TlsOptions& TlsOptions::crl_file(std::string_view path) {
  crl_files_.emplace_back(path);
  return *this;
}

TlsOptions& TlsOptions::verify(bool on) {
  verify_ = on;
  return *this;
}

TlsOptions& TlsOptions::on_warning(std::function<void(std::string_view)> log) {
  on_warning_ = std::move(log);
  return *this;
}

TlsOptions& TlsOptions::certificate_file(std::string_view path) {
  certificate_ = Pem(true, path);
  return *this;
}

TlsOptions& TlsOptions::certificate_pem(std::string_view text) {
  certificate_ = Pem(false, text);
  return *this;
}

TlsOptions& TlsOptions::key_file(std::string_view path) {
  key_ = Pem(true, path);
  return *this;
}

TlsOptions& TlsOptions::key_pem(std::string_view text) {
  key_ = Pem(false, text);
  return *this;
}

TlsOptions& TlsOptions::key_password(std::string_view password) {
  key_password_ = password;
  return *this;
}

TlsOptions& TlsOptions::minimum_version(TlsVersion version) {
  minimum_version_ = version;
  return *this;
}

TlsOptions& TlsOptions::maximum_version(TlsVersion version) {
  maximum_version_ = version;
  return *this;
}

TlsOptions& TlsOptions::ciphers(std::string_view names) {
  ciphers_ = names;
  return *this;
}

TlsOptions& TlsOptions::alpn(std::vector<std::string> protocols) {
  alpn_ = std::move(protocols);
  return *this;
}

TlsOptions& TlsOptions::server_name(std::string_view name) {
  server_name_ = name;
  return *this;
}

TlsOptions& TlsOptions::pin_public_key(std::string_view pins) {
  while (!pins.empty()) {
    std::string_view pin = pins.substr(0, pins.find(';'));
    pins.remove_prefix(std::min(pin.size() + 1, pins.size()));
    pins_.emplace_back(pin);
  }
  return *this;
}

TlsOptions& TlsOptions::key_log_file(std::string_view path) {
  key_log_file_ = path;
  return *this;
}

}  // namespace sluice
