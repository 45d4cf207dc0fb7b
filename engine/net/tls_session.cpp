// SPDX-License-Identifier: MIT
#include "engine/net/tls_session.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <openssl/err.h>

#include "engine/base/check.hpp"
#include "engine/net/address.hpp"
#include "engine/net/tls_certificate.hpp"

namespace sluice::net {
namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
// AES-GCM may encrypt 2^24.5 full records with one key (RFC 8446, 5.5).
constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 23;

std::string in_words(unsigned long code) {
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown TLS failure";
}

/// "0A000086 certificate verify failed".
std::string library_code_of(unsigned long code) {
  char number[20];
  std::snprintf(number, sizeof(number), "%08lX ", code);
  return number + in_words(code);
}

/// What an alert means for the user, behind its name.
std::string_view advice_for_alert(int alert) {
  switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
      return ": it accepts none of the ciphers offered, or wants a client certificate";
    case SSL_AD_PROTOCOL_VERSION:
      return ": it accepts none of the TLS versions offered";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return ": it speaks none of the protocols offered (ALPN)";
    case SSL_AD_UNRECOGNIZED_NAME:
      return ": it does not know the host's name (SNI)";
    case SSL_AD_CERTIFICATE_REQUIRED:
      return ": it wants a client certificate";
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return ": it does not accept the client certificate";
    default:
      return "";
  }
}

bool is_alert(unsigned long code) {
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
}

std::string alert_text(unsigned long code) {
  int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
  return std::string("the server sent the TLS alert '") + SSL_alert_desc_string_long(alert) + "'" +
         std::string(advice_for_alert(alert));
}

}  // namespace

// ---- OpenSSL's way to the bytes

struct TlsSession::Bio {
  static int read(BIO* bio, char* bytes, int size) {
    TlsSession& self = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.source_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::size_t count = std::min(static_cast<std::size_t>(size), self.source_.size());
    std::memcpy(bytes, self.source_.data(), count);
    self.source_ = self.source_.subspan(count);
    self.pulled_bytes_ += count;
    return static_cast<int>(count);
  }
  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    static_cast<TlsSession*>(BIO_get_data(bio))->output_.append(bytes, static_cast<std::size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* shared = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return shared;
  }
};

// ---- setting up

void TlsSession::prepare(SSL_CTX& context) {
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, verified);
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(&context, ticket_came);
}

TlsSession::TlsSession(TlsConfiguration::Pointer configuration, std::string_view host, TlsTickets* tickets)
    : configuration_(std::move(configuration)), host_(host), tickets_(tickets) {
  if (!configuration_->server_name().empty()) host_ = configuration_->server_name();
  if (host_.ends_with('.')) host_.pop_back();  // no name in a certificate has it
}

TlsSession::~TlsSession() {
  // Otherwise OpenSSL takes a connection that was dropped for a failed one, and its ticket for spoilt.
  if (ssl_ != nullptr && state_ != State::failed) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN);
}

Result<std::unique_ptr<TlsSession>> TlsSession::make(TlsConfiguration::Pointer configuration,
                                                     std::string_view host, std::uint16_t port,
                                                     TlsTickets* tickets) {
  ERR_clear_error();
  std::unique_ptr<TlsSession> self(new TlsSession(std::move(configuration), host, tickets));
  if (self->set_up(std::string(host) + ':' + std::to_string(port))) return self;
  unsigned long code = ERR_peek_last_error();
  Error::Facts facts(ErrorKind::system_error, Phase::tls, "TLS cannot be set up: " + in_words(code));
  facts.library_code = library_code_of(code);
  return Error(std::move(facts));
}

bool TlsSession::set_up(std::string_view origin) {
  ssl_.reset(SSL_new(&configuration_->context()));
  BIO* bio = BIO_new(Bio::method());
  if (ssl_ == nullptr || bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_connect_state(ssl_.get());
  if (!set_peer_name()) return false;
  origin_ = origin;
  if (TicketPointer ticket = tickets_ != nullptr ? tickets_->take(origin_) : nullptr)
    SSL_set_session(ssl_.get(), ticket.get());
  return true;
}

bool TlsSession::set_peer_name() {
  X509_VERIFY_PARAM* verification = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(verification,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (Address::from_literal(host_, 0)) return X509_VERIFY_PARAM_set1_ip_asc(verification, host_.c_str()) == 1;
  // SSL_set_tlsext_host_name(), whose cast is one of C
  return SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host_.data()) == 1 &&
         X509_VERIFY_PARAM_set1_host(verification, host_.data(), host_.size()) == 1;
}

// ---- the handshake

void TlsSession::start() {
  shake_hands();
}

void TlsSession::shake_hands() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return opened();
  if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) fail_with_library();
}

void TlsSession::opened() {
  state_ = State::open;
  const SSL& ssl = *ssl_;
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(&ssl, &alpn, &alpn_size);
  auto facts = std::make_shared<TlsFacts>();
  facts->version = SSL_get_version(&ssl);
  facts->cipher = SSL_get_cipher_name(&ssl);
  facts->alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  facts->resumed = SSL_session_reused(&ssl) == 1;
  if (STACK_OF(X509)* chain = SSL_get_peer_cert_chain(&ssl)) facts->chain.reset(X509_chain_up_ref(chain));
  if (facts->resumed && tickets_ != nullptr) tickets_->count_resumed();

  const X509* certificate = SSL_get0_peer_certificate(&ssl);
  if (certificate == nullptr || !configuration_->pins_permit(*certificate))
    return fail("the server's public key is not one of those that are pinned");
  if (!facts->alpn.empty() && !facts->alpn.starts_with("http/1."))
    return fail("the server chose the protocol '" + facts->alpn + "' (ALPN), which is not spoken here");
  facts_ = std::move(facts);
}

/// Called for each certificate of the chain, and for each fault.
int TlsSession::verified(int preverified, X509_STORE_CTX* verification) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsSession& self = of(*ssl);
  if (preverified != 1 && self.configuration_->verifies() && self.certificate_problem_.empty())
    self.certificate_problem_ = describe_certificate_problem(*verification, self.host_);
  return preverified;
}

int TlsSession::ticket_came(SSL* ssl, SSL_SESSION* ticket) {
  TlsSession& self = of(*ssl);
  if (self.tickets_ == nullptr || SSL_SESSION_is_resumable(ticket) != 1) return 0;
  self.tickets_->store(self.origin_, TicketPointer(ticket));
  return 1;  // the ticket is ours now
}

// ---- reading

void TlsSession::receive(std::span<const char> ciphertext, ring::LeaseQueue& plaintext) {
  if (first_byte_count_ < first_bytes_.size()) {
    std::size_t count = std::min(first_bytes_.size() - first_byte_count_, ciphertext.size());
    std::copy_n(ciphertext.begin(), count, first_bytes_.begin() + first_byte_count_);
    first_byte_count_ += count;
  }
  source_ = ciphertext;
  if (state_ == State::handshaking) shake_hands();
  if (state_ == State::open) decrypt(plaintext);
  source_ = {};
}

void TlsSession::receive_end() {
  if (state_ == State::open) state_ = State::truncated;
  if (state_ != State::handshaking) return;
  fail(first_byte_count_ == 0 ? "the server closed the connection without a word of TLS"
                              : "the server closed the connection during the TLS handshake");
}

void TlsSession::decrypt(ring::LeaseQueue& plaintext) {
  ERR_clear_error();
  while (read_block(plaintext) && (!source_.empty() || SSL_has_pending(ssl_.get()) == 1)) continue;
}

/// Fills one block with plaintext; false when there is no more to be had.
bool TlsSession::read_block(ring::LeaseQueue& plaintext) {
  // Plaintext is never longer than the ciphertext that it came in.
  std::size_t most = pulled_bytes_ + source_.size() + static_cast<std::size_t>(SSL_pending(ssl_.get()));
  auto size =
      static_cast<std::uint32_t>(std::clamp(most, std::size_t{1}, std::size_t{ring::Lease::kBlockBytes}));
  ring::Lease block = ring::Lease::block(size);
  std::span<char> memory = block.memory();
  std::uint32_t filled = 0;
  bool more = true;
  while (more && filled < size) {
    std::size_t count = 0;
    more = SSL_read_ex(ssl_.get(), memory.data() + filled, size - filled, &count) == 1;
    filled += static_cast<std::uint32_t>(count);
    if (more) pulled_bytes_ = 0;
  }
  if (filled != 0) {
    block.shrink(filled);
    plaintext.push_back(std::move(block));
  }
  if (!more) reading_stopped();
  return more;
}

void TlsSession::reading_stopped() {
  switch (SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::ended;
      return;
    default:
      return fail_with_library();
  }
}

// ---- writing

void TlsSession::seal(std::span<std::span<const char>> parts) {
  ERR_clear_error();
  std::array<char, kRecordBytes> gathered;  // NOLINT: filled before it is read
  std::size_t room = kBatchBytes;
  while (room != 0 && state_ != State::failed) {
    std::size_t filled = 0;
    for (std::span<const char>& part : parts) {
      if (part.size() >= kRecordBytes && filled == 0) {
        std::span<const char> whole = part.first(std::min(part.size() - part.size() % kRecordBytes, room));
        encrypt(whole);
        room -= whole.size();
        part = part.subspan(whole.size());
        if (room == 0) return;
      }
      std::size_t count = std::min({part.size(), kRecordBytes - filled, room - filled});
      std::copy_n(part.data(), count, gathered.data() + filled);
      filled += count;
      part = part.subspan(count);
    }
    if (filled == 0) return;
    encrypt(std::span<const char>(gathered).first(filled));
    room -= filled;
  }
}

void TlsSession::encrypt(std::span<const char> plaintext) {
  if (state_ == State::failed) return;
  if (records_since_update_ >= kRecordsPerKey) update_keys();
  records_since_update_ += plaintext.size() / kRecordBytes + 1;
  std::size_t count = 0;
  if (SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &count) != 1) fail_with_library();
}

void TlsSession::update_keys() {
  records_since_update_ = 0;
  if (SSL_version(ssl_.get()) < TLS1_3_VERSION) return;
  SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);  // leaves with the next record
}

void TlsSession::close() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

void TlsSession::output_sent(std::size_t bytes) noexcept {
  output_sent_bytes_ += bytes;
  if (output_sent_bytes_ < output_.size()) return;
  output_sent_bytes_ = 0;
  output_ = detail::String();  // idle connections are many
}

// ---- failing

void TlsSession::fail(std::string message, std::string library_code) {
  state_ = State::failed;
  failure_.message = std::move(message);
  failure_.library_code = std::move(library_code);
}

void TlsSession::fail_with_library() {
  unsigned long code = ERR_peek_last_error();
  std::string message;
  if (is_alert(code))
    message = alert_text(code);
  else if (state_ == State::handshaking)
    message = handshake_failure(code);
  else
    message = "the server broke TLS: " + in_words(code);
  fail(std::move(message), library_code_of(code));
  ERR_clear_error();
}

std::string TlsSession::handshake_failure(unsigned long code) const {
  if (!certificate_problem_.empty()) return certificate_problem_;
  std::string_view first(first_bytes_.data(), first_byte_count_);
  constexpr char kHandshake = SSL3_RT_HANDSHAKE, kAlert = SSL3_RT_ALERT;
  if (first.starts_with("HTTP/")) return "the server speaks plain HTTP on this port, not TLS";
  if (!first.empty() && !first.starts_with(kHandshake) && !first.starts_with(kAlert))
    return "the server does not speak TLS on this port";
  return "the TLS handshake failed: " + in_words(code);
}

}  // namespace sluice::net
