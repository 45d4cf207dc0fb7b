// SPDX-License-Identifier: MIT
// A session against OpenSSL's own server, in memory: what goes in, what comes out, at every cut.
#include "engine/net/tls_session.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/tls_peer.hpp"

namespace sluice::net {
namespace {

using namespace sluice::testing;
using State = TlsSession::State;

/// The server, between two memory buffers.
class MemoryServer {
 public:
  explicit MemoryServer(const ServerContext& context)
      : ssl_(SSL_new(context.raw())), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_accept_state(ssl_.get());
  }
  void take(std::span<const char> bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string output() {
    std::string bytes(static_cast<std::size_t>(BIO_pending(out_)), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  std::string read() {
    std::string bytes;
    char part[20000];
    for (int count; (count = SSL_read(ssl_.get(), part, sizeof(part))) > 0;)
      bytes.append(part, static_cast<std::size_t>(count));
    ERR_clear_error();
    return bytes;
  }
  void write(std::string_view bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }
  SSL* ssl() { return ssl_.get(); }

 private:
  std::unique_ptr<SSL, FreeOpenssl> ssl_;
  BIO* in_;
  BIO* out_;
};

class TlsSessionTest : public ::testing::Test {
 protected:
  std::unique_ptr<TlsSession> make(std::string_view host = "localhost") {
    return TlsSession::make(configuration_, host, 443, &tickets_).value();
  }
  std::string take_output(TlsSession& session) {
    std::string bytes(session.output().begin(), session.output().end());
    session.output_sent(bytes.size());
    return bytes;
  }
  /// Everything that both sides have to say to each other.
  void exchange(TlsSession& session, MemoryServer& server) {
    for (;;) {
      std::string to_server = take_output(session);
      server.take(to_server);
      received_by_server_ += server.read();
      std::string to_client = server.output();
      if (to_client.empty()) return;
      session.receive(to_client, received_);
    }
  }
  std::string take_received() {
    std::string bytes;
    while (!received_.empty()) {
      ring::Lease lease = received_.pop_front();
      bytes.append(lease.bytes().data(), lease.bytes().size());
    }
    return bytes;
  }
  static void seal(TlsSession& session, std::vector<std::string_view> texts) {
    std::vector<std::span<const char>> parts(texts.begin(), texts.end());
    session.seal(parts);
    for (auto part : parts) EXPECT_TRUE(part.empty());
  }
  static std::size_t count_records(std::string_view bytes) {
    std::size_t count = 0;
    for (; bytes.size() >= 5; ++count) {
      auto size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[3]) * 256 +
                                           static_cast<unsigned char>(bytes[4]));
      bytes.remove_prefix(std::min(5 + size, bytes.size()));
    }
    return count;
  }
  /// An open session and its server.
  void open(TlsSession& session, MemoryServer& server) {
    session.start();
    exchange(session, server);
    ASSERT_EQ(session.state(), State::open) << session.failure().message;
  }

  Authority root_;
  ServerContext context_{root_.issue()};
  TlsConfiguration::Pointer configuration_ =
      TlsConfiguration::make(TlsOptions().ca_file(root_.certificate())).value();
  TlsTickets tickets_;
  ring::LeaseQueue received_;
  std::string received_by_server_;
};

TEST_F(TlsSessionTest, SmallPartsShareARecordAndASend) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  take_output(*session);
  seal(*session, {"4\r\n", "data", "\r\n"});
  seal(*session, {"0\r\n\r\n"});
  std::string sent = take_output(*session);
  EXPECT_EQ(count_records(sent), 2U);
  server.take(sent);
  EXPECT_EQ(server.read(), "4\r\ndata\r\n0\r\n\r\n");
}

TEST_F(TlsSessionTest, TheEndOfTheHandshakeLeavesWithTheRequest) {
  context_.version(TLS1_3_VERSION);
  auto session = make();
  MemoryServer server(context_);
  session->start();
  server.take(take_output(*session));
  server.read();
  session->receive(server.output(), received_);
  ASSERT_EQ(session->state(), State::open);
  seal(*session, {"GET"});
  server.take(take_output(*session));
  EXPECT_EQ(server.read(), "GET");
}

TEST_F(TlsSessionTest, LargePartsInWholeRecordsAndBatches) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  const std::string large = patterned_bytes(1'000'000);
  std::vector<std::span<const char>> parts = {std::string_view("head"), large, std::string_view("tail")};
  std::string read;
  int sends = 0;
  while (!parts[0].empty() || !parts[1].empty() || !parts[2].empty()) {
    std::size_t before = parts[0].size() + parts[1].size() + parts[2].size();
    session->seal(parts);
    EXPECT_LE(before - parts[0].size() - parts[1].size() - parts[2].size(), TlsSession::kBatchBytes);
    server.take(take_output(*session));
    read += server.read();
    ++sends;
  }
  EXPECT_TRUE(read == "head" + large + "tail");
  EXPECT_EQ(sends, 9);
}

TEST_F(TlsSessionTest, CiphertextCutAnywhere) {
  const std::string text = patterned_bytes(60'000);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    context_.version(version);
    for (std::size_t cut : {1UL, 2UL, 5UL, 7UL, 100UL, 5000UL, 16384UL, 16390UL, 30000UL}) {
      auto session = make();
      MemoryServer server(context_);
      session->start();
      server.write(text);  // fails, and shakes hands
      auto exchange_in_pieces = [&] {
        for (;;) {
          server.take(take_output(*session));
          server.read();
          std::string bytes = server.output();
          if (bytes.empty()) return;
          for (std::size_t at = 0; at < bytes.size(); at += cut)
            session->receive(std::span<const char>(bytes).subspan(at, std::min(cut, bytes.size() - at)),
                             received_);
        }
      };
      exchange_in_pieces();
      ASSERT_EQ(session->state(), State::open) << session->failure().message;
      server.write(text);
      exchange_in_pieces();
      EXPECT_TRUE(take_received() == text) << cut;
    }
  }
}

TEST_F(TlsSessionTest, KeysAreUpdatedBothWays) {
  context_.version(TLS1_3_VERSION);
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  for (int i = 0; i < 3; ++i) {
    server.write("before");
    SSL_key_update(server.ssl(), SSL_KEY_UPDATE_REQUESTED);
    server.write("after");
    exchange(*session, server);
    EXPECT_EQ(take_received(), "beforeafter");
    seal(*session, {"reply"});  // our own update leaves before it
    session->update_keys();
    seal(*session, {" and more"});
    exchange(*session, server);
    EXPECT_EQ(std::exchange(received_by_server_, ""), "reply and more");
  }
  EXPECT_EQ(session->state(), State::open);
}

TEST_F(TlsSessionTest, UpdatingKeysMeansNothingInTls12) {
  context_.version(TLS1_2_VERSION);
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  session->update_keys();
  seal(*session, {"fine"});
  exchange(*session, server);
  EXPECT_EQ(received_by_server_, "fine");
}

TEST_F(TlsSessionTest, EndsAreToldApart) {
  for (bool says_goodbye : {true, false}) {
    auto session = make();
    MemoryServer server(context_);
    open(*session, server);
    server.write("last");
    if (says_goodbye) SSL_shutdown(server.ssl());
    exchange(*session, server);
    session->receive_end();
    EXPECT_EQ(session->state(), says_goodbye ? State::ended : State::truncated);
    EXPECT_EQ(take_received(), "last");
    seal(*session, {"still"});  // a peer that says no more may still listen
    EXPECT_FALSE(session->output().empty());
  }
}

TEST_F(TlsSessionTest, GoodbyeIsHeard) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  session->close();
  exchange(*session, server);
  EXPECT_NE(SSL_get_shutdown(server.ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_F(TlsSessionTest, DataBehindCloseNotifyIsNobodys) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  server.write("counts");
  SSL_shutdown(server.ssl());
  exchange(*session, server);
  session->receive("garbage"s, received_);
  EXPECT_EQ(session->state(), State::ended);
  EXPECT_EQ(take_received(), "counts");
}

TEST_F(TlsSessionTest, EveryBitOfARecordCounts) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  server.write("a record");
  std::string record = server.output();
  for (std::size_t at = 0; at < record.size(); ++at) {
    auto victim = make();
    MemoryServer its_server(context_);
    open(*victim, its_server);
    its_server.write("a record");
    std::string forged = its_server.output();
    forged[at] = static_cast<char>(forged[at] ^ 1);
    victim->receive(forged, received_);
    victim->receive_end();
    EXPECT_NE(victim->state(), State::open) << at;
    if (victim->state() == State::failed) {
      EXPECT_NE(victim->failure().message.find("the server broke TLS"), std::string::npos);
      EXPECT_FALSE(victim->output().empty()) << "no alert at " << at;
    }
    EXPECT_EQ(take_received(), "") << at;
  }
}

TEST_F(TlsSessionTest, WarningsWithoutEndAreAFailure) {
  auto session = make();
  session->start();
  const std::string user_cancelled("\x15\x03\x03\x00\x02\x01\x5a", 7);
  int warnings = 0;
  for (; session->state() == State::handshaking && warnings < 100; ++warnings)
    session->receive(user_cancelled, received_);
  EXPECT_LT(warnings, 100);
  EXPECT_NE(session->failure().message.find("too many warn alerts"), std::string::npos)
      << session->failure().message;
}

TEST_F(TlsSessionTest, EmptyRecordsWithoutEndAreAFailure) {
  context_.version(TLS1_3_VERSION);
  auto session = make();
  session->start();
  const std::string empty("\x16\x03\x03\x00\x00", 5);
  int records = 0;
  for (; session->state() == State::handshaking && records < 100; ++records)
    session->receive(empty, received_);
  EXPECT_LT(records, 100);
}

TEST_F(TlsSessionTest, TicketsAreUsedOnceInTls13) {
  context_.version(TLS1_3_VERSION);
  auto first = make();
  MemoryServer server(context_);
  open(*first, server);
  EXPECT_EQ(tickets_.size(), 2U);
  first.reset();
  EXPECT_EQ(tickets_.size(), 2U);
  auto second = make();
  EXPECT_EQ(tickets_.size(), 1U);
  MemoryServer again(context_);
  open(*second, again);
  EXPECT_TRUE(second->facts()->resumed);
  EXPECT_EQ(tickets_.counters().offered, 1U);
  EXPECT_EQ(tickets_.counters().resumed, 1U);
}

TEST_F(TlsSessionTest, SessionsAreKeptInTls12) {
  context_.version(TLS1_2_VERSION);
  auto first = make();
  MemoryServer server(context_);
  open(*first, server);
  EXPECT_EQ(tickets_.size(), 1U);
  first.reset();
  for (int i = 0; i < 3; ++i) {
    auto next = make();
    MemoryServer again(context_);
    open(*next, again);
    EXPECT_TRUE(next->facts()->resumed);
  }
}

TEST_F(TlsSessionTest, TicketsExpireAndAreBounded) {
  context_.version(TLS1_3_VERSION);
  SSL_CTX_set_timeout(context_.raw(), 60);
  SSL_CTX_set_num_tickets(context_.raw(), 1);
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  ASSERT_EQ(tickets_.size(), 1U);
  TicketPointer ticket = tickets_.take("localhost:443");
  ASSERT_NE(ticket, nullptr);
  SSL_SESSION_set_time(ticket.get(), time(nullptr) - 70);
  tickets_.store("localhost:443", std::move(ticket));
  EXPECT_EQ(tickets_.take("localhost:443"), nullptr);
  EXPECT_EQ(tickets_.counters().expired, 1U);
  for (std::size_t i = 0; i < TlsTickets::kMostOfOneOrigin + 10; ++i) {
    SSL_new_session_ticket(server.ssl());
    SSL_do_handshake(server.ssl());
    exchange(*session, server);
  }
  EXPECT_EQ(tickets_.size(), TlsTickets::kMostOfOneOrigin);
  EXPECT_EQ(tickets_.counters().evicted, 10U);
  for (int i = 0; i < 1000; ++i) tickets_.store("host" + std::to_string(i), TicketPointer(SSL_SESSION_new()));
  EXPECT_EQ(tickets_.size(), TlsTickets::kMostTickets);
}

TEST_F(TlsSessionTest, AnotherHostsTicketIsNotOffered) {
  auto session = make();
  MemoryServer server(context_);
  open(*session, server);
  EXPECT_EQ(tickets_.take("localhost:444"), nullptr);
  EXPECT_EQ(tickets_.take("localhos:443"), nullptr);
  EXPECT_NE(tickets_.take("localhost:443"), nullptr);
}

}  // namespace
}  // namespace sluice::net
