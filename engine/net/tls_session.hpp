// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/result.hpp>

#include "engine/net/openssl.hpp"
#include "engine/net/tls_configuration.hpp"
#include "engine/net/tls_facts.hpp"
#include "engine/net/tls_tickets.hpp"
#include "engine/ring/buffer_ring.hpp"

namespace sluice::net {

/// The client's side of one TLS connection, without I/O: ciphertext goes in with receive() and comes out of
/// output(); the owner moves it. OpenSSL reads from the receive buffer itself and the plaintext is written
/// where the caller will find it.
///
/// Usage: start(), then send output() and receive() until the handshake is over; then receive() gives
/// plaintext and seal() takes it. At any time a receive() may leave output to be sent.
class TlsSession : public detail::Recycled {
 public:
  enum class State : std::uint8_t {
    handshaking,
    open,
    ended,      ///< the peer has sent close_notify
    truncated,  ///< the peer's bytes ended without one
    failed,     ///< see failure()
  };
  /// Why a session failed.
  struct Failure {
    std::string message;       ///< in words, one line
    std::string library_code;  ///< OpenSSL's, empty if it did not find the fault
  };

  /// Plaintext that one seal() takes at most, and so one send: whole records that fit into a class of
  /// recycled memory.
  static constexpr std::size_t kBatchBytes = 7 * SSL3_RT_MAX_PLAIN_LENGTH;

  /// For a connection to `host`, a name or an address without brackets. `tickets` may be null; it must
  /// outlive the last receive(). Errors: system_error.
  static Result<std::unique_ptr<TlsSession>> make(TlsConfiguration::Pointer configuration,
                                                  std::string_view host, std::uint16_t port,
                                                  TlsTickets* tickets);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  State state() const noexcept { return state_; }

  /// Makes the first flight.
  void start();
  /// Takes ciphertext that has come, all of it; what it holds in plaintext is added to `plaintext`.
  void receive(std::span<const char> ciphertext, ring::LeaseQueue& plaintext);
  /// The peer's bytes have ended.
  void receive_end();

  /// Encrypts the beginning of `parts`, at most kBatchBytes, and takes it off them. Small parts share a
  /// record. Requires the state open, truncated or ended: a peer that says no more may still listen.
  void seal(std::span<std::span<const char>> parts);
  /// Adds a KeyUpdate (TLS 1.3) that asks for the peer's, too. Done by itself after many records.
  void update_keys();
  /// Adds close_notify to the output.
  void close();

  std::span<const char> output() const noexcept {
    return std::span<const char>(output_).subspan(output_sent_bytes_);
  }
  /// So much of the output has left. Views of it hold until all has.
  void output_sent(std::size_t bytes) noexcept;

  /// After `failed`.
  const Failure& failure() const noexcept { return failure_; }
  /// What was negotiated; none before the handshake is over.
  const std::shared_ptr<const TlsFacts>& facts() const noexcept { return facts_; }

  /// Sets the callbacks that sessions of a context rely on.
  static void prepare(SSL_CTX& context);

 private:
  struct Bio;  // what OpenSSL calls to read and write

  TlsSession(TlsConfiguration::Pointer configuration, std::string_view host, TlsTickets* tickets);
  bool set_up(std::string_view origin);
  bool set_peer_name();

  void shake_hands();
  void opened();
  void decrypt(ring::LeaseQueue& plaintext);
  bool read_block(ring::LeaseQueue& plaintext);
  void reading_stopped();
  void encrypt(std::span<const char> plaintext);
  void fail(std::string message, std::string library_code = {});
  void fail_with_library();
  std::string handshake_failure(unsigned long code) const;

  static int verified(int preverified, X509_STORE_CTX* verification);
  static int ticket_came(SSL* ssl, SSL_SESSION* ticket);
  static TlsSession& of(const SSL& ssl) { return *static_cast<TlsSession*>(SSL_get_app_data(&ssl)); }

  TlsConfiguration::Pointer configuration_;
  std::string host_;    // that is verified
  std::string origin_;  // whose tickets are used
  TlsTickets* tickets_;
  std::span<const char> source_;  // ciphertext that OpenSSL has not read
  std::size_t pulled_bytes_ = 0;  // what it read since it last gave plaintext
  detail::String output_;
  std::size_t output_sent_bytes_ = 0;
  std::uint64_t records_since_update_ = 0;
  State state_ = State::handshaking;
  std::array<char, 5> first_bytes_{};  // that the server sent
  std::size_t first_byte_count_ = 0;
  std::string certificate_problem_;
  Failure failure_;
  std::shared_ptr<const TlsFacts> facts_;
  SslPointer ssl_;  // last: its end may call back
};

}  // namespace sluice::net
