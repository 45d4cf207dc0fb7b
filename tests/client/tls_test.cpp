// SPDX-License-Identifier: MIT
// https as a caller sees it: what is verified, what is negotiated, how connections end and are resumed.
#include <atomic>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>
#include <sluice/engine.hpp>

#include "tests/support/shard_test.hpp"
#include "tests/support/tls_peer.hpp"

namespace sluice {
namespace {

using namespace testing;

class TlsTest : public ShardTest {
 protected:
  ClientOptions trusting(TlsOptions options = {}) {
    return ClientOptions().tls(TlsContext(options.ca_file(root_.certificate())));
  }
  Error error_of(AsyncClient& client, const std::string& url) {
    auto result = get(client, url);
    if (!result) return result.error();
    ADD_FAILURE() << "the request succeeded";
    return Error(ErrorKind::http_status_error, Phase::none, "");
  }

  Authority root_;
};

TEST_F(TlsTest, GetByNameAndByAddress) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response("secret")));
  AsyncClient client(shard(), trusting());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    auto response = get(client, https_url(peer, "/", host));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "secret");
    ASSERT_TRUE(response->tls());
    EXPECT_EQ(response->tls()->version(), "TLSv1.3");
    EXPECT_EQ(response->tls()->subject(), "CN=test server");
    EXPECT_EQ(response->tls()->issuer(), "CN=Test Root");
  }
  expect_quiet(client);
}

TEST_F(TlsTest, EveryVersionAndCipher) {
  struct Case {
    int version;
    const char* cipher;
    const char* version_name;
  };
  for (const Case& wanted : {Case{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "TLSv1.3"},
                             Case{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLSv1.3"},
                             Case{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3"},
                             Case{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"},
                             Case{TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2"}}) {
    ServerContext server(root_.issue());
    server.version(wanted.version);
    const std::string body = patterned_bytes(1'000'000);
    Peer peer(answering_over_tls(server, ok_response(body)));
    AsyncClient client(shard(), trusting(TlsOptions().ciphers(wanted.cipher)));
    for (int i = 0; i < 2; ++i) {
      auto response = run(client.post(https_url(peer)).content(body).as_result());
      ASSERT_TRUE(response) << response.error().what();
      EXPECT_TRUE(response->content() == body);
      EXPECT_EQ(response->tls()->version(), wanted.version_name);
      EXPECT_EQ(response->tls()->cipher(), wanted.cipher);
      EXPECT_GT(response->num_bytes_received(), body.size());
    }
    EXPECT_EQ(client.pool_stats().opened, 1U);
    expect_quiet(client);
  }
}

// ---- whom a client believes

TEST_F(TlsTest, CertificatesThatAreNotBelieved) {
  TemporaryFolder folder;
  Authority stranger("Another Root");
  Authority between(root_, "Between");
  Authority constrained(root_, "Constrained", "nameConstraints=critical,permitted;DNS:example.org\n");
  Authority weak_root("Weak Root", "rsa:1024");

  auto with = [](auto change) {
    Wanted wanted;
    change(wanted);
    return wanted;
  };
  Identity without_between = between.issue();
  std::string leaf = content_of(without_between.certificate);
  folder.write("leaf.pem", leaf.substr(0, leaf.find("-----BEGIN", 10)));
  without_between.certificate = folder / "leaf.pem";

  struct Case {
    Identity identity;
    const char* host;
    std::vector<const char*> words;
  };
  const std::vector<Case> cases = {
      {root_.issue(with([](Wanted& w) { w.end = "20210304050607Z"; })),
       "localhost",
       {"CN=test server", "expired on 2021-03-04 05:06:07 UTC"}},
      {root_.issue(with([](Wanted& w) { w.start = "20990304050607Z"; })),
       "localhost",
       {"is not valid before 2099-03-04 05:06:07 UTC"}},
      {self_signed(folder), "localhost", {"CN=self is self-signed"}},
      {stranger.issue(), "localhost", {"unknown issuer", "CN=Another Root"}},
      {without_between, "localhost", {"unknown issuer", "CN=Between", "did not send"}},
      {root_.issue(Wanted("DNS:a.example,DNS:*.b.example")),
       "localhost",
       {"not for localhost", "a.example, *.b.example"}},
      {root_.issue(Wanted("DNS:127.0.0.1")), "127.0.0.1", {"not for 127.0.0.1"}},
      {root_.issue(Wanted("IP:127.0.0.2,IP:::1")), "127.0.0.1", {"127.0.0.2, ::1"}},
      {root_.issue(with([](Wanted& w) { w.names = "", w.common_name = "localhost"; })),
       "localhost",
       {"names no host", "CN=localhost"}},
      {root_.issue(Wanted("DNS:*.x.localhost")), "x.localhost", {"not for x.localhost"}},
      {root_.issue(Wanted("DNS:*.x.localhost")), "a.b.x.localhost", {"not for a.b.x.localhost"}},
      {root_.issue(Wanted("DNS:f*.x.localhost")), "foo.x.localhost", {"not for foo.x.localhost"}},
      {root_.issue(Wanted("DNS:*.localhost")), "a.localhost", {"not for a.localhost"}},  // a whole top level
      {root_.issue(Wanted("DNS:*")), "localhost", {"not for localhost"}},
      {constrained.issue(), "localhost", {"name constraints"}},
      {root_.issue(with([](Wanted& w) { w.key = "rsa:1024"; })),
       "localhost",
       {"too weak", "RSA of 1024 bits"}},
      {between.issue(with([](Wanted& w) { w.digest = "sha1"; })), "localhost", {"too weak", "SHA1"}},
      {root_.issue(with([](Wanted& w) { w.extensions = "extendedKeyUsage=clientAuth"; })),
       "localhost",
       {"purpose"}},
  };
  for (const Case& wanted : cases) {
    ServerContext server(wanted.identity);
    Peer peer(answering_over_tls(server, ok_response()));
    AsyncClient client(shard(), trusting());
    Error error = error_of(client, https_url(peer, "/", wanted.host));
    EXPECT_EQ(kind_and_phase(error), "ConnectError in tls") << error.what();
    for (const char* word : wanted.words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << " in " << error.what();
    EXPECT_NE(error.facts().library_code.find("certificate verify failed"), std::string::npos);
    EXPECT_TRUE(error.safe_to_retry());
    EXPECT_EQ(error.facts().bytes_sent, 0U);
    EXPECT_EQ(error.facts().request, "GET " + https_url(peer, "/", wanted.host));
    expect_quiet(client);
    peer.stop();
  }
}

TEST_F(TlsTest, CertificatesThatAreBelieved) {
  Authority between(root_, "Between");
  Authority constrained(root_, "Constrained", "nameConstraints=critical,permitted;DNS:localhost\n");
  struct Case {
    Identity identity;
    const char* host;
  };
  const std::vector<Case> cases = {
      {root_.issue(Wanted("DNS:*.x.localhost")), "a.x.localhost"},
      {root_.issue(Wanted("DNS:LOCALHOST")), "localhost"},
      {root_.issue(Wanted("DNS:localhost")), "localhost."},
      {root_.issue(Wanted("DNS:x.example,DNS:a.b.localhost")), "a.b.localhost"},
      {root_.issue(Wanted("IP:127.0.0.1")), "127.0.0.1"},
      {between.issue(), "localhost"},
      {constrained.issue(Wanted("DNS:localhost")), "localhost"},
  };
  for (const Case& wanted : cases) {
    ServerContext server(wanted.identity);
    Peer peer(answering_over_tls(server, ok_response("fine")));
    AsyncClient client(shard(), trusting());
    auto response = get(client, https_url(peer, "/", wanted.host));
    EXPECT_TRUE(response) << response.error().what();
    client.close();
    peer.stop();
  }
}

TEST_F(TlsTest, Ipv6Address) {
  ServerContext server(root_.issue(Wanted("IP:::1")));
  Peer peer(answering_over_tls(server, ok_response("six")), loopback("::1"));
  AsyncClient client(shard(), trusting());
  auto response = get(client, https_url(peer, "/", "[::1]"));
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->content(), "six");
}

TEST_F(TlsTest, TheSystemDoesNotKnowOurRoot) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response()));
  AsyncClient client(shard());
  EXPECT_EQ(kind_and_phase(error_of(client, https_url(peer))), "ConnectError in tls");
}

TEST_F(TlsTest, TrustFromTheEnvironmentFromFoldersAndFromText) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response()));
  setenv("SSL_CERT_FILE", root_.certificate().c_str(), 1);
  TlsContext from_file{TlsOptions()};
  unsetenv("SSL_CERT_FILE");
  setenv("SSL_CERT_DIR", root_.directory().c_str(), 1);
  TlsContext from_folder{TlsOptions()};
  unsetenv("SSL_CERT_DIR");
  for (const TlsContext& context :
       {from_file, from_folder, TlsContext(TlsOptions().ca_directory(root_.directory())),
        TlsContext(TlsOptions().ca_pem(content_of(root_.certificate())))}) {
    AsyncClient client(shard(), ClientOptions().tls(context));
    auto response = get(client, https_url(peer));
    EXPECT_TRUE(response) << response.error().what();
  }
}

TEST_F(TlsTest, RevocationLists) {
  Identity good = root_.issue(), bad = root_.issue();
  root_.revoke(bad);
  const std::string list = root_.revocation_list();
  Authority between(root_, "Between");
  auto outcome = [&](const Identity& identity) {
    ServerContext server(identity);
    Peer peer(answering_over_tls(server, ok_response()));
    AsyncClient client(shard(), trusting(TlsOptions().crl_file(list)));
    auto response = get(client, https_url(peer));
    client.close();
    return response ? std::string("ok") : response.error().what();
  };
  EXPECT_EQ(outcome(good), "ok");
  EXPECT_NE(outcome(bad).find("has been revoked"), std::string::npos) << outcome(bad);
  EXPECT_NE(outcome(between.issue()).find("no revocation list of CN=Between"), std::string::npos);
}

TEST_F(TlsTest, VerificationOffIsLoudAndPinsStillHold) {
  TemporaryFolder folder;
  ServerContext server(self_signed(folder, "DNS:elsewhere"));
  Peer peer(answering_over_tls(server, ok_response("whoever you are")));
  std::string warning;
  auto log = [&](std::string_view text) { warning = text; };
  AsyncClient client(shard(), ClientOptions().tls(TlsContext(TlsOptions().verify(false).on_warning(log))));
  EXPECT_NE(warning.find("not verified"), std::string::npos);
  auto response = get(client, https_url(peer));
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->content(), "whoever you are");

  folder.run(
      "openssl x509 -in self.pem -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 "
      "-binary | "
      "base64 > pin");
  std::string pin = content_of(folder / "pin");
  pin = "sha256//" + pin.substr(0, pin.find('\n'));
  const std::string other = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  auto pinned = [&](const std::string& pins) {
    return ClientOptions().tls(TlsContext(TlsOptions().verify(false).on_warning(log).pin_public_key(pins)));
  };
  AsyncClient right(shard(), pinned(other + ";" + pin)), wrong(shard(), pinned(other));
  EXPECT_TRUE(get(right, https_url(peer)));
  Error error = error_of(wrong, https_url(peer));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in tls");
  EXPECT_NE(std::string(error.what()).find("pinned"), std::string::npos) << error.what();
}

TEST_F(TlsTest, AnotherServerNameIsSentAndVerified) {
  ServerContext server(root_.issue(Wanted("DNS:inner.example")));
  RequestLog log;
  Peer peer(over_tls(server, [&](TlsConnection& tls) {
    const char* name = SSL_get_servername(tls.ssl(), TLSEXT_NAMETYPE_host_name);
    log.add({name != nullptr ? name : "none", ""});
    tls.read_request();
    tls.send(ok_response());
  }));
  AsyncClient client(shard(), trusting(TlsOptions().server_name("inner.example")));
  EXPECT_TRUE(get(client, https_url(peer, "/", "127.0.0.1")));
  EXPECT_EQ(log.last().head, "inner.example");
  AsyncClient other(shard(), trusting(TlsOptions().server_name("outer.example")));
  Error error = error_of(other, https_url(peer));
  EXPECT_NE(std::string(error.what()).find("not for outer.example"), std::string::npos) << error.what();
}

TEST_F(TlsTest, ClientCertificates) {
  TemporaryFolder folder;
  ServerContext server(root_.issue());
  SSL_CTX_load_verify_locations(server.raw(), root_.certificate().c_str(), nullptr);
  SSL_CTX_set_verify(server.raw(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  Identity own = root_.issue();
  std::filesystem::copy_file(own.key, folder / "plain.key");
  folder.run("openssl pkey -in plain.key -aes128 -passout pass:sesame -out locked.key");
  const std::string certificate = content_of(own.certificate), key = content_of(own.key);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server.version(version);
    Peer peer(answering_over_tls(server, ok_response("welcome")));
    for (TlsOptions options : {TlsOptions().certificate_file(own.certificate).key_file(own.key),
                               TlsOptions().certificate_pem(certificate).key_pem(key),
                               TlsOptions().certificate_pem(certificate + key),
                               TlsOptions()
                                   .certificate_file(own.certificate)
                                   .key_file(folder / "locked.key")
                                   .key_password("sesame")}) {
      AsyncClient client(shard(), trusting(options));
      auto response = get(client, https_url(peer));
      ASSERT_TRUE(response) << response.error().what();
      EXPECT_EQ(response->content(), "welcome");
    }
    AsyncClient nobody(shard(), trusting());
    Error error = error_of(nobody, https_url(peer));
    EXPECT_TRUE(error.is_network_error()) << error.what();
    EXPECT_NE(std::string(error.what()).find("wants a client certificate"), std::string::npos)
        << error.what();
    peer.stop();
  }
}

// ---- what the two cannot agree on

TEST_F(TlsTest, NoCommonGround) {
  auto error = [&](ServerContext& server, const TlsOptions& options) {
    Peer peer(answering_over_tls(server, ok_response()));
    AsyncClient client(shard(), trusting(options));
    Error result = error_of(client, https_url(peer));
    EXPECT_EQ(kind_and_phase(result), "ConnectError in tls") << result.what();
    expect_quiet(client);
    return std::string(result.what());
  };
  Identity identity = root_.issue();
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    ServerContext old(identity);
    old.version(version);
    EXPECT_NE(error(old, TlsOptions()).find("version"), std::string::npos) << error(old, TlsOptions());
  }
  ServerContext modern(identity);
  modern.version(TLS1_3_VERSION);
  EXPECT_NE(error(modern, TlsOptions().maximum_version(TlsVersion::tls1_2)).find("none of the TLS versions"),
            std::string::npos);
  ServerContext one_cipher(identity);
  one_cipher.version(TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(one_cipher.raw(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_NE(
      error(one_cipher, TlsOptions().ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")).find("none of the ciphers"),
      std::string::npos);
  ServerContext only_h2(identity);
  SSL_CTX_set_alpn_select_cb(
      only_h2.raw(),
      [](SSL*, const unsigned char**, unsigned char*, const unsigned char*, unsigned, void*) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      nullptr);
  EXPECT_NE(error(only_h2, TlsOptions()).find("none of the protocols offered (ALPN)"), std::string::npos);
}

TEST_F(TlsTest, WhatIsLackingOnOurSideIsNotTheServersFault) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response()));
  auto options = TlsOptions().minimum_version(TlsVersion::tls1_0).maximum_version(TlsVersion::tls1_1);
  AsyncClient client(shard(), trusting(options.ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")));  // of TLS 1.2
  Error error = error_of(client, https_url(peer));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in tls");
  EXPECT_NE(std::string(error.what()).find("no ciphers available"), std::string::npos) << error.what();
  expect_quiet(client);
}

TEST_F(TlsTest, OldVersionsOnRequest) {
  ServerContext server(root_.issue());
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    server.version(version);
    Peer peer(answering_over_tls(server, ok_response()));
    AsyncClient client(shard(),
                       trusting(TlsOptions().minimum_version(TlsVersion::tls1_0).ciphers("ALL:@SECLEVEL=0")));
    auto response = get(client, https_url(peer));
    EXPECT_TRUE(response) << response.error().what();
    client.close();
    peer.stop();
  }
}

TEST_F(TlsTest, AlpnIsOfferedAndWhatIsChosenShows) {
  ServerContext server(root_.issue());
  static const unsigned char kChosen[] = "http/1.1", kOther[] = "spdy/3";
  auto choose = [&](const unsigned char* name) {
    SSL_CTX_set_alpn_select_cb(
        server.raw(),
        [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
           unsigned offered_size, void* wanted) -> int {
          const auto* text = static_cast<const char*>(wanted);
          *size = static_cast<unsigned char>(std::strlen(text));
          std::string_view offer(reinterpret_cast<const char*>(offered), offered_size);
          std::size_t at = offer.find(text);
          if (at == std::string_view::npos) return SSL_TLSEXT_ERR_NOACK;
          *out = offered + at;
          return SSL_TLSEXT_ERR_OK;
        },
        const_cast<unsigned char*>(name));
  };
  choose(kChosen);
  Peer peer(answering_over_tls(server, ok_response()));
  AsyncClient client(shard(), trusting()), silent(shard(), trusting(TlsOptions().alpn({})));
  auto response = get(client, https_url(peer));
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->tls()->alpn(), "http/1.1");
  response = get(silent, https_url(peer));
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->tls()->alpn(), "");
  choose(kOther);
  AsyncClient wrong(shard(), trusting(TlsOptions().alpn({"spdy/3", "http/1.1"})));
  EXPECT_NE(std::string(error_of(wrong, https_url(peer)).what()).find("'spdy/3' (ALPN)"), std::string::npos);
}

// ---- ends

TEST_F(TlsTest, CloseNotifyTellsAWholeBodyFromOneCutShort) {
  ServerContext server(root_.issue());
  for (bool says_goodbye : {true, false}) {
    for (const char* head : {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"}) {
      Peer peer(over_tls(server, [&](TlsConnection& tls) {
        tls.read_request();
        tls.send(head);
        tls.send("body");
        if (says_goodbye) tls.close_notify();
        tls.tcp().half_close();
        tls.tcp().read_to_end();
      }));
      AsyncClient client(shard(), trusting());
      auto response = get(client, https_url(peer));
      bool counted = std::string(head).find("Length") != std::string::npos;
      if (says_goodbye || counted) {
        ASSERT_TRUE(response) << response.error().what();
        EXPECT_EQ(response->content(), "body");
      } else {
        ASSERT_FALSE(response);
        EXPECT_EQ(kind_and_phase(response.error()), "RemoteProtocolError in body");
        EXPECT_NE(std::string(response.error().what()).find("close_notify"), std::string::npos);
      }
      expect_quiet(client);
    }
  }
}

TEST_F(TlsTest, TheClientSaysGoodbye) {
  ServerContext server(root_.issue());
  RequestLog log;
  Peer peer(over_tls(server, [&](TlsConnection& tls) {
    tls.read_request();
    tls.send(ok_response());
    tls.read(1);
    log.add({SSL_get_shutdown(tls.ssl()) & SSL_RECEIVED_SHUTDOWN ? "goodbye" : "gone", ""});
  }));
  {
    AsyncClient client(shard(), trusting());
    ASSERT_TRUE(get(client, https_url(peer)));
  }
  EXPECT_TRUE(eventually([&] { return log.size() == 1; }));
  EXPECT_EQ(log.last().head, "goodbye");
}

TEST_F(TlsTest, IdleConnectionsWatchForCloseNotify) {
  ServerContext server(root_.issue());
  Gate go;
  Peer peer(over_tls(server, [&](TlsConnection& tls) {
    tls.read_request();
    tls.send(ok_response());
    go.wait();
    tls.close_notify();  // without FIN
    tls.tcp().ending.wait();
  }));
  AsyncClient client(shard(), trusting());
  ASSERT_TRUE(get(client, https_url(peer)));
  EXPECT_EQ(client.pool_stats().idle, 1U);
  go.open();
  EXPECT_TRUE(turn_until([&] { return client.pool_stats().idle == 0; }));
  expect_quiet(client);
}

TEST_F(TlsTest, TicketsThatComeLateDoNotEndIdleConnections) {
  ServerContext server(root_.issue());
  Gate go, sent;
  Peer peer(over_tls(server, [&](TlsConnection& tls) {
    tls.read_request();
    tls.send(ok_response("one"));
    go.wait();
    for (int i = 0; i < 3; ++i) {
      SSL_new_session_ticket(tls.ssl());
      SSL_do_handshake(tls.ssl());
    }
    SSL_key_update(tls.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(tls.ssl());
    sent.open();
    tls.read_request();
    tls.send(ok_response("two"));
    tls.tcp().ending.wait();
  }));
  AsyncClient client(shard(), trusting());
  ASSERT_TRUE(get(client, https_url(peer)));
  go.open();
  sent.wait();
  auto response = get(client, https_url(peer));
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->content(), "two");
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

// ---- resumption

TEST_F(TlsTest, LaterConnectionsResumeEarlierOnes) {
  ServerContext server(root_.issue());
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server.version(version);
    Peer peer(over_tls(server, [](TlsConnection& tls) {
      tls.read_request();
      tls.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      tls.close_notify();
    }));
    AsyncClient client(shard(), trusting());
    for (int i = 0; i < 4; ++i) {
      auto response = get(client, https_url(peer));
      ASSERT_TRUE(response) << response.error().what();
      EXPECT_EQ(response->tls()->resumed(), i != 0) << i;
      EXPECT_EQ(response->tls()->subject(), "CN=test server");
      EXPECT_EQ(response->tls()->chain().size(), 1U);
    }
    EXPECT_EQ(client.tls_ticket_stats().resumed, 3U);
    EXPECT_EQ(client.tls_ticket_stats().offered, 3U);
    // The other name of the same server has no ticket, nor has another client.
    EXPECT_FALSE(get(client, https_url(peer, "/", "127.0.0.1")).value().tls()->resumed());
    AsyncClient other(shard(), trusting());
    EXPECT_FALSE(get(other, https_url(peer)).value().tls()->resumed());
    peer.stop();
  }
}

TEST_F(TlsTest, AServerThatForgotItsKeysGetsAFullHandshake) {
  Identity identity = root_.issue();
  ServerContext first(identity), second(identity);
  std::atomic<bool> restarted{false};
  Peer peer([&](PeerConnection& connection) {
    over_tls(restarted ? second : first, [](TlsConnection& tls) {
      tls.read_request();
      tls.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      tls.close_notify();
    })(connection);
  });
  AsyncClient client(shard(), trusting());
  EXPECT_FALSE(get(client, https_url(peer)).value().tls()->resumed());
  EXPECT_TRUE(get(client, https_url(peer)).value().tls()->resumed());
  restarted = true;
  EXPECT_FALSE(get(client, https_url(peer)).value().tls()->resumed());
  EXPECT_TRUE(get(client, https_url(peer)).value().tls()->resumed());
}

// ---- the rest

TEST_F(TlsTest, UploadsOfFilesAndGenerators) {
  ServerContext server(root_.issue());
  TemporaryFolder folder;
  const std::string content = patterned_bytes(3'000'000);
  folder.write("file", content);
  RequestLog log;
  Peer peer(over_tls(server, [&](TlsConnection& tls) {
    while (auto request = tls.read_request()) {
      log.add(*std::move(request));
      tls.send(ok_response());
    }
  }));
  AsyncClient client(shard(), trusting());
  auto response = run(client.post(https_url(peer)).file(folder / "file").as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_TRUE(log.last().body == content);
  auto generate = [](std::string_view bytes) -> Generator<Chunk> {
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) co_yield Chunk(bytes.substr(at, 100'000));
  };
  auto stated = client.post(https_url(peer)).header("Content-Length", std::to_string(content.size()));
  response = run(std::move(stated).body(generate(content)).as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_TRUE(log.last().body == content);
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

TEST_F(TlsTest, StreamsAndDiscards) {
  ServerContext server(root_.issue());
  const std::string body = patterned_bytes(5'000'000);
  Peer peer(answering_over_tls(server, ok_response(body)));
  AsyncClient client(shard(), trusting());
  auto all = run([&]() -> Task<std::string> {
    auto response = co_await client.stream(Method::Get, https_url(peer));
    std::string bytes;
    auto body_bytes = response.iter_raw();
    while (auto chunk = co_await body_bytes.next()) bytes += chunk->view();
    EXPECT_EQ(response.tls()->version(), "TLSv1.3");
    co_return bytes;
  });
  EXPECT_TRUE(all == body);
  run([&]() -> Task<void> {
    auto response = co_await client.stream(Method::Get, https_url(peer));
    co_await response.discard();
    EXPECT_EQ(response.num_bytes_downloaded(), body.size());
  });
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

TEST_F(TlsTest, HandshakesWhenTheBudgetIsUsedUp) {
  ServerContext server(root_.issue());
  const std::string body = patterned_bytes(5'000'000);
  Peer peer(answering_over_tls(server, ok_response(body)));
  AsyncClient client(shard(), trusting().receive_limits({.max_queued_bytes = 32 * 1024}).timeout(kPatience));
  run([&]() -> Task<void> {
    auto held = co_await client.stream(Method::Get, https_url(peer));
    co_await sleep_for(50ms);  // until more than the budget waits for its reader
    auto response = co_await client.get(https_url(peer)).as_result();
    EXPECT_TRUE(response && response->content() == body);
    co_await held.discard();
    EXPECT_EQ(held.num_bytes_downloaded(), body.size());
  });
  expect_quiet(client);
}

TEST_F(TlsTest, ManyAtOnceWithFewConnections) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response("x")));
  AsyncClient client(shard(), trusting().limits({.max_connections = 8}).timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<Task<Result<Response>>> tasks;
    for (int i = 0; i < 200; ++i) tasks.push_back(client.get(https_url(peer)).as_result());
    auto results = co_await when_all(std::move(tasks));
    for (auto& result : results) EXPECT_TRUE(result) << result.error().what();
  });
  EXPECT_LE(client.pool_stats().opened, 8U);
  expect_quiet(client);
}

TEST_F(TlsTest, OneContextForAllShards) {
  ServerContext server(root_.issue());
  Peer peer(over_tls(server, [](TlsConnection& tls) {
    tls.read_request();
    tls.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    tls.close_notify();
  }));
  TlsContext shared(TlsOptions().ca_file(root_.certificate()));
  std::atomic<int> good{0};
  EngineOptions options;
  options.shards = 3;
  Engine engine(options);
  auto work = [&](Shard& own) -> Task<void> {
    AsyncClient client(own, ClientOptions().tls(shared).timeout(kPatience));
    for (int i = 0; i < 20; ++i) {
      auto response = co_await client.get(https_url(peer)).as_result();
      good += response && response->tls()->resumed() == (i != 0) ? 1 : 0;
    }
  };
  engine.run_on_each(work);
  EXPECT_EQ(good, 60);
}

TEST_F(TlsTest, SecretsAreLoggedOnRequest) {
  TemporaryFolder folder;
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response()));
  AsyncClient client(shard(), trusting(TlsOptions().key_log_file(folder / "keys")));
  ASSERT_TRUE(get(client, https_url(peer)));
  std::string log = content_of(folder / "keys");
  EXPECT_NE(log.find("CLIENT_TRAFFIC_SECRET_0 "), std::string::npos) << log;
  EXPECT_TRUE(log.ends_with('\n'));
}

TEST_F(TlsTest, RedirectFromHttpToHttps) {
  ServerContext server(root_.issue());
  Peer secure(answering_over_tls(server, ok_response("safe")));
  Peer plain(Peer::answering("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + https_url(secure) +
                             "\r\n\r\n"));
  AsyncClient client(shard(), trusting().follow_redirects(true));
  auto response = get(client, plain.url());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->content(), "safe");
  EXPECT_TRUE(response->tls());
  EXPECT_FALSE(response->history().front().tls());
}

TEST_F(TlsTest, SettingsThatMeanNothing) {
  TemporaryFolder folder;
  folder.write("empty.pem", "nothing\n");
  Identity one = root_.issue(), two = root_.issue();
  struct Case {
    TlsOptions options;
    const char* word;
  };
  for (const Case& wanted :
       {Case{TlsOptions().ca_file("/no/such/file"), "/no/such/file cannot be read"},
        Case{TlsOptions().ca_file(folder / "empty.pem"), "holds no certificate"},
        Case{TlsOptions().ca_pem("nothing"), "holds no certificate"},
        Case{TlsOptions().crl_file(one.certificate), "holds no revocation list"},
        Case{TlsOptions().certificate_file(one.certificate).key_file(two.key), "does not belong"},
        Case{TlsOptions().certificate_file(one.certificate), "no private key"},
        Case{TlsOptions().ciphers("NO-SUCH-CIPHER"), "NO-SUCH-CIPHER"},
        Case{TlsOptions().ciphers("TLS_NO_SUCH_SUITE"), "TLS_NO_SUCH_SUITE"},
        Case{TlsOptions().alpn({""}), "ALPN"},
        Case{TlsOptions().pin_public_key("sha256//short"), "sha256//short"},
        Case{TlsOptions().pin_public_key("md5//x"), "md5//x"},
        Case{TlsOptions().key_log_file("/no/such/folder/log"), "/no/such/folder/log"},
        Case{TlsOptions().minimum_version(TlsVersion::tls1_3).maximum_version(TlsVersion::tls1_2),
             "above the maximum"}}) {
    try {
      TlsContext context(wanted.options);
      ADD_FAILURE() << "nobody minds: " << wanted.word;
    } catch (const SystemError& error) {
      EXPECT_NE(std::string(error.what()).find(wanted.word), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace sluice
