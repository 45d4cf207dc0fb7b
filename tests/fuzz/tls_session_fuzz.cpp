// SPDX-License-Identifier: MIT
// A TLS session and a server in memory, with somebody in between who cuts, forges, drops and adds bytes.
// Whatever he does, what the session gives out is the beginning of what the server said, and all of it if he
// does nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "engine/net/tls_session.hpp"

namespace {

using namespace sluice;
using net::TlsSession;

/// A server's context with a certificate that it signed itself.
SSL_CTX* make_server_context() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 1'000'000);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

/// The bytes of the input, which say what happens.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool done() const { return at_ >= size_; }
  unsigned next() { return done() ? 0 : data_[at_++]; }
  std::string bytes(std::size_t count) {
    count = std::min(count, size_ - at_);
    std::string text(reinterpret_cast<const char*>(data_) + at_, count);
    at_ += count;
    return text;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

class Scene {
 public:
  Scene(SSL_CTX* server_context, net::TlsConfiguration::Pointer configuration, bool newest)
      : session_(TlsSession::make(std::move(configuration), "localhost", 443, &tickets_).value()),
        server_(SSL_new(server_context)),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())) {
    SSL_set_max_proto_version(server_.get(), newest ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_set_bio(server_.get(), in_, out_);
    SSL_set_accept_state(server_.get());
    session_->start();
  }

  void play(Script& script) {
    for (int step = 0; step < 200 && !script.done(); ++step) act(script);
    while (!tampered_ && converse()) continue;
    session_->receive_end();
    check();
  }

 private:
  void act(Script& script) {
    unsigned action = script.next() % 10, argument = script.next();
    switch (action) {
      case 0:
      case 1: {
        std::string text(argument * (action == 0 ? 1 : 200), static_cast<char>('a' + argument % 26));
        if (SSL_write(server_.get(), text.data(), static_cast<int>(text.size())) > 0) said_ += text;
        break;
      }
      case 2:
        converse();
        break;
      case 3:
        pass(argument);
        break;
      case 4:
        tamper([&](std::string& wire) { wire[argument % wire.size()] ^= 1; });
        break;
      case 5:
        tamper([&](std::string& wire) { wire.erase(argument % wire.size(), 1 + argument / 16); });
        break;
      case 6: {
        std::string bytes = script.bytes(argument);
        tamper([&](std::string& wire) { wire.insert(argument % wire.size(), bytes); });
        break;
      }
      case 7:
        SSL_key_update(server_.get(), argument % 2);
        SSL_new_session_ticket(server_.get());
        SSL_do_handshake(server_.get());
        break;
      case 8:
        speak(argument);
        break;
      case 9:
        if (argument == 7) SSL_shutdown(server_.get());
        break;
    }
    ERR_clear_error();
    check();
  }

  /// Moves what both sides have to say; false if that was nothing.
  bool converse() {
    std::span<const char> output = session_->output();
    bool any = !output.empty();
    if (any) BIO_write(in_, output.data(), static_cast<int>(output.size()));
    session_->output_sent(output.size());
    char part[4096];
    while (SSL_read(server_.get(), part, sizeof(part)) > 0) continue;
    ERR_clear_error();
    collect();
    any = any || !wire_.empty();
    pass(wire_.size());
    return any;
  }
  void collect() {
    char part[4096];
    for (int count; (count = BIO_read(out_, part, sizeof(part))) > 0;)
      wire_.append(part, static_cast<std::size_t>(count));
  }
  void pass(std::size_t count) {
    collect();
    // A block of its own, so that reading beyond its end is noticed.
    std::string bytes = wire_.substr(0, count);
    auto exact = std::make_unique<char[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    wire_.erase(0, bytes.size());
    if (session_->state() != TlsSession::State::failed)
      session_->receive({exact.get(), bytes.size()}, queue_);
    while (!queue_.empty()) {
      ring::Lease lease = queue_.pop_front();
      heard_.append(lease.bytes().data(), lease.bytes().size());
    }
  }
  template <class Change>
  void tamper(Change change) {
    collect();
    if (wire_.empty()) return;
    change(wire_);
    tampered_ = true;
  }
  void speak(unsigned size) {
    if (session_->state() != TlsSession::State::open) return;
    std::string text(size * 100, 'x');
    std::span<const char> parts[] = {text, std::string_view("end")};
    session_->seal(parts);
  }
  void check() const {
    bool is_beginning = said_.starts_with(heard_);
    bool is_well = session_->state() != TlsSession::State::failed;
    if (!is_beginning || (!tampered_ && !is_well)) std::abort();
    if (!is_well && session_->failure().message.empty()) std::abort();
    bool over =
        session_->state() == TlsSession::State::truncated || session_->state() == TlsSession::State::ended;
    if (over && !tampered_ && wire_.empty() && BIO_pending(out_) == 0 && heard_ != said_) std::abort();
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  net::TlsTickets tickets_;
  std::unique_ptr<TlsSession> session_;
  std::unique_ptr<SSL, Free> server_;
  BIO* in_;
  BIO* out_;
  ring::LeaseQueue queue_;
  std::string wire_;  // what the server has sent and the session has not got
  std::string said_;
  std::string heard_;
  bool tampered_ = false;
};

}  // namespace

// The first byte chooses the version; each pair of the rest is something that happens, and how much of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SSL_CTX* server_context = make_server_context();
  static const auto configuration =
      net::TlsConfiguration::make(TlsOptions().verify(false).on_warning([](std::string_view) {})).value();
  Script script(data, size);
  Scene scene(server_context, configuration, script.next() % 4 != 0);
  scene.play(script);
  return 0;
}
