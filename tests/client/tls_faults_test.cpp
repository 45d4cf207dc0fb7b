// SPDX-License-Identifier: MIT
// Servers that break TLS, or stop in the middle of it.
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"
#include "tests/support/tls_peer.hpp"

namespace sluice {
namespace {

using namespace testing;

constexpr Duration kShort = 60ms;

/// What the server's side of one handshake and one response is, as bytes: each flight with what it answers.
/// The peer replays a real server, and stops or breaks where a test says.
class CutServer {
 public:
  explicit CutServer(const ServerContext& context) : context_(&context) {}

  /// A script in which the server's bytes end after `limit`; `end` is called then.
  Peer::Script script(std::size_t limit, std::function<void(PeerConnection&)> end) const {
    return [this, limit, end = std::move(end)](PeerConnection& connection) {
      std::unique_ptr<SSL, FreeOpenssl> ssl(SSL_new(context_->raw()));
      BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
      SSL_set_bio(ssl.get(), in, out);
      SSL_set_accept_state(ssl.get());
      std::size_t left = limit;
      bool answered = false;
      for (;;) {
        char byte;
        if (SSL_read(ssl.get(), &byte, 1) > 0 && !answered && byte == '\n') {
          SSL_write(ssl.get(), kResponse.data(), static_cast<int>(kResponse.size()));
          answered = true;
          continue;
        }
        std::string flight(static_cast<std::size_t>(BIO_pending(out)), '\0');
        BIO_read(out, flight.data(), static_cast<int>(flight.size()));
        bool cut = flight.size() >= left;
        flight.resize(std::min(flight.size(), left));
        left -= flight.size();
        connection.send(flight);
        if (cut) return end(connection);
        if (SSL_pending(ssl.get()) > 0) continue;
        std::string bytes = connection.read(1);
        if (bytes.empty()) return;
        BIO_write(in, bytes.data(), static_cast<int>(bytes.size()));
      }
    };
  }

 private:
  static constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
  const ServerContext* context_;
};

class TlsFaultsTest : public ShardTest {
 protected:
  ClientOptions trusting() { return ClientOptions().tls(context_); }
  Error error_of(AsyncClient& client, const std::string& url) {
    auto result = get(client, url);
    if (!result) return result.error();
    ADD_FAILURE() << "the request succeeded";
    return Error(ErrorKind::http_status_error, Phase::none, "");
  }
  void expect_text(const Error& error, std::string_view kind, std::string_view word) {
    EXPECT_EQ(kind_and_phase(error), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
  void expect_works_afterwards(AsyncClient& client) {
    expect_quiet(client);
    Peer peer(answering_over_tls(server_, ok_response()));
    auto response = get(client, https_url(peer));
    EXPECT_TRUE(response) << response.error().what();
    client.close();
  }

  Authority root_;
  Identity identity_ = root_.issue();
  ServerContext server_{identity_};
  TlsContext context_{TlsOptions().ca_file(root_.certificate())};
};

TEST_F(TlsFaultsTest, PlainHttpOnThePort) {
  AsyncClient client(shard(), trusting());
  Peer answers([](PeerConnection& connection) {
    connection.read(1);
    connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    connection.read_to_end();
  });
  expect_text(error_of(client, https_url(answers)), "ConnectError in tls", "plain HTTP on this port");
  Peer speaks_first([](PeerConnection& connection) {
    connection.send("220 mail.example ESMTP\r\n");
    connection.read_to_end();
  });
  expect_text(error_of(client, https_url(speaks_first)), "ConnectError in tls", "does not speak TLS");
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, Garbage) {
  AsyncClient client(shard(), trusting());
  for (const std::string& garbage :
       {std::string(100, '\0'), std::string(100, '\xff'), "\x16\x03\x03"s + std::string(100, 'x'),
        "\x16\x03\x03\x00\x00"s, "\x17\x03\x03\x00\x01x"s, "\x15\x03\x03\x00\x02\x09\x09"s}) {
    Peer peer([&](PeerConnection& connection) {
      connection.read(1);
      connection.send(garbage);
      connection.half_close();
      connection.read_to_end();
    });
    Error error = error_of(client, https_url(peer));
    EXPECT_EQ(kind_and_phase(error), "ConnectError in tls") << error.what();
    EXPECT_TRUE(error.safe_to_retry());
  }
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, EndsWithoutAWord) {
  AsyncClient client(shard(), trusting());
  Peer closes([](PeerConnection&) {});
  Error error = error_of(client, https_url(closes));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in tls") << error.what();
  Peer half_closes([](PeerConnection& connection) {
    connection.half_close();
    connection.read_to_end();
  });
  expect_text(error_of(client, https_url(half_closes)), "ConnectError in tls", "without a word of TLS");
  Peer resets([](PeerConnection& connection) {
    connection.read(1);
    connection.reset();
  });
  error = error_of(client, https_url(resets));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in tls");
  EXPECT_EQ(error.system_code(), ECONNRESET);
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, TheConnectTimeOutCoversTheHandshake) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_.version(version);
    CutServer cut(server_);
    AsyncClient client(shard(), trusting().timeout(kNoTimeout).timeout({.connect = kShort}));
    for (std::size_t limit : {0UL, 3UL, 100UL, 500UL}) {
      Peer peer(cut.script(limit, [](PeerConnection& connection) { connection.ending.wait(); }));
      TimePoint start = Clock::now();
      Error error = error_of(client, https_url(peer));
      EXPECT_GE(Clock::now() - start, kShort);
      expect_text(error, "ConnectTimeout in tls", "did not finish the TLS handshake in time");
      EXPECT_TRUE(error.safe_to_retry());
      EXPECT_EQ(error.facts().peer, "127.0.0.1:" + std::to_string(peer.port()));
    }
    expect_quiet(client);
  }
}

TEST_F(TlsFaultsTest, ResetAtEachByte) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_.version(version);
    CutServer cut(server_);
    AsyncClient client(shard(), trusting());
    int successes = 0;
    std::size_t limit = 0;
    for (; successes == 0 && limit < 4000; limit += limit < 150 ? 7 : 23) {
      Peer peer(cut.script(limit, [](PeerConnection& connection) { connection.reset(); }));
      auto response = get(client, https_url(peer));
      successes += response ? 1 : 0;
      if (response) break;
      EXPECT_TRUE(response.error().is_network_error() || response.error().is_protocol_error())
          << response.error().what();
    }
    EXPECT_EQ(successes, 1) << "never got through";
    EXPECT_GT(limit, 500U);
    expect_works_afterwards(client);
  }
}

TEST_F(TlsFaultsTest, EndAtEachByte) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_.version(version);
    CutServer cut(server_);
    AsyncClient client(shard(), trusting());
    bool through = false;
    for (std::size_t limit = 1; !through && limit < 4000; limit += 17) {
      Peer peer(cut.script(limit, [](PeerConnection& connection) {
        connection.half_close();
        connection.read_to_end();
      }));
      auto response = get(client, https_url(peer));
      through = response.has_value();
      if (!through && response.error().phase() == Phase::tls)
        expect_text(response.error(), "ConnectError in tls",
                    "closed the connection during the TLS handshake");
    }
    EXPECT_TRUE(through);
    expect_works_afterwards(client);
  }
}

TEST_F(TlsFaultsTest, CancelledAtEachFlight) {
  CutServer cut(server_);
  AsyncClient client(shard(), trusting());
  for (std::size_t limit : {0UL, 1UL, 200UL, 600UL, 900UL}) {
    Gate there;
    Peer peer(cut.script(limit, [&](PeerConnection& connection) {
      there.open();
      connection.ending.wait();
    }));
    run([&]() -> Task<void> {
      Background request(client.get(https_url(peer)).as_result());
      while (!there.is_open() && !request.done()) co_await sleep_for(200us);
    });
    expect_quiet(client);
  }
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, ClosedDuringTheHandshake) {
  Peer peer(Peer::silent());
  auto error = run([&]() -> Task<Error> {
    AsyncClient client(shard(), trusting());
    Background request(client.get(https_url(peer)).as_result());
    co_await sleep_for(20ms);
    client.close();
    EXPECT_TRUE(co_await request.wait());
    co_return request.take().error();
  });
  EXPECT_EQ(error.kind(), ErrorKind::client_closed);
}

// ---- behind the handshake

TEST_F(TlsFaultsTest, ForgedRecord) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_.version(version);
    Peer peer(over_tls(server_, [](TlsConnection& tls) {
      tls.read_request();
      tls.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
      tls.tcp().send("\x17\x03\x03\x00\x20"s + std::string(32, 'x'));
      tls.tcp().read_to_end();
    }));
    AsyncClient client(shard(), trusting());
    Error error = error_of(client, https_url(peer));
    expect_text(error, "ReadError in body", "the server broke TLS");
    EXPECT_FALSE(error.facts().library_code.empty());
    EXPECT_FALSE(error.safe_to_retry());
    expect_works_afterwards(client);
  }
}

TEST_F(TlsFaultsTest, RecordThatIsTooLong) {
  Peer peer(over_tls(server_, [](TlsConnection& tls) {
    tls.read_request();
    tls.tcp().send("\x17\x03\x03\xff\xff"s + std::string(65535, 'x'));
    tls.tcp().read_to_end();
  }));
  AsyncClient client(shard(), trusting());
  expect_text(error_of(client, https_url(peer)), "ReadError in head", "the server broke TLS");
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, AlertsInsteadOfAResponse) {
  server_.version(TLS1_2_VERSION);
  Peer peer(over_tls(server_, [](TlsConnection& tls) {
    tls.read_request();
    // The server is made to read a forged record, so that the alert is OpenSSL's own.
    // alert.
    BIO* socket = SSL_get_rbio(tls.ssl());
    BIO* forged = BIO_new_mem_buf("\x17\x03\x03\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 37);
    BIO_up_ref(socket);
    SSL_set0_rbio(tls.ssl(), forged);
    tls.read(1);
    SSL_set0_rbio(tls.ssl(), socket);
    tls.tcp().read_to_end();
  }));
  AsyncClient client(shard(), trusting());
  expect_text(error_of(client, https_url(peer)), "ReadError in head", "TLS alert 'bad record mac'");
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, RenegotiationIsRefused) {
  server_.version(TLS1_2_VERSION);
  RequestLog log;
  Peer peer(over_tls(server_, [&](TlsConnection& tls) {
    tls.read_request();
    SSL_renegotiate(tls.ssl());
    SSL_do_handshake(tls.ssl());
    tls.read(1);
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    log.add({reason != nullptr ? reason : "none", ""});
  }));
  AsyncClient client(shard(), trusting());
  Error error = error_of(client, https_url(peer));
  EXPECT_TRUE(error.is_network_error() || error.is_protocol_error()) << error.what();
  EXPECT_TRUE(eventually([&] { return log.size() == 1; }));
  EXPECT_EQ(log.last().head, "no renegotiation");
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, TicketsWithoutEndAreNoResponse) {
  Peer peer(over_tls(server_, [](TlsConnection& tls) {
    tls.read_request();
    while (!tls.tcp().ending.is_open() && SSL_new_session_ticket(tls.ssl()) == 1 &&
           SSL_do_handshake(tls.ssl()) == 1) {
    }
  }));
  AsyncClient client(shard(), trusting().timeout({.read = 200ms}));
  Error error = error_of(client, https_url(peer));
  EXPECT_TRUE(kind_and_phase(error) == "ReadTimeout in head" || kind_and_phase(error) == "ReadError in head")
      << error.what();
  expect_works_afterwards(client);
}

TEST_F(TlsFaultsTest, TheClientSendsAnAlertWhenItDoesNotBelieve) {
  Authority stranger("Another Root");
  ServerContext server(stranger.issue());
  RequestLog log;
  Peer peer([&](PeerConnection& connection) {
    TlsConnection tls(connection, server);
    if (!tls.accept()) log.add({ERR_reason_error_string(ERR_peek_error()), ""});
    if (log.size() == 0) tls.read(1), log.add({ERR_reason_error_string(ERR_peek_error()), ""});
    ERR_clear_error();
  });
  AsyncClient client(shard(), trusting());
  error_of(client, https_url(peer));
  EXPECT_TRUE(eventually([&] { return log.size() == 1; }));
  EXPECT_NE(log.last().head.find("alert unknown ca"), std::string::npos) << log.last().head;
}

}  // namespace
}  // namespace sluice
