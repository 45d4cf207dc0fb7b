// SPDX-License-Identifier: MIT
#include "engine/http/exchange.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice::http {
namespace {

using namespace testing;

class ExchangeTest : public ShardTest {
 protected:
  void make(const Limits& limits = {}) {
    pool_ = std::make_shared<Pool>(shard().loop(), limits, wire::ReaderLimits());
    connector_.emplace(shard().loop(), budget(), std::make_unique<net::HostsFileResolver>(), "");
  }
  static Request request(const Peer& peer, std::string_view path = "/") {
    return Request::get(peer.url(path)).header("Host", "h");
  }

  Task<std::string> body_of(Exchange& exchange) {
    std::string body;
    for (;;) {
      switch (exchange.poll()) {
        case Exchange::Event::body:
          body.append(exchange.body().data(), exchange.body().size());
          break;
        case Exchange::Event::need_more:
          exchange.supply(co_await exchange.read());
          break;
        case Exchange::Event::end:
          co_return body;
        case Exchange::Event::failed:
          co_return "failed: " + kind_and_phase(exchange.error());
        default:
          break;
      }
    }
  }

  Timeout timeout_ = Timeout::all(kPatience);
  std::shared_ptr<Pool> pool_;
  std::optional<Connector> connector_;
};

TEST_F(ExchangeTest, OneRequestAndItsResponse) {
  Peer peer(Peer::answering(ok_response("body")));
  make();
  run([&]() -> Task<void> {
    wire::ResponseHead head;
    Request get = request(peer);
    Exchange exchange(*pool_, *connector_, timeout_);
    EXPECT_TRUE(co_await exchange.open(get, head));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(exchange.content_length(), 4U);
    EXPECT_EQ(co_await body_of(exchange), "body");
    EXPECT_EQ(exchange.body_bytes(), 4U);
    EXPECT_EQ(pool_->stats().idle, 1U);
  });
  pool_->close();
  expect_sockets(0);
}

TEST_F(ExchangeTest, BodyLeasesOutliveTheExchange) {
  Peer peer(Peer::answering(ok_response("body")));
  make();
  ring::Lease lease;
  run([&]() -> Task<void> {
    wire::ResponseHead head;
    Request get = request(peer);
    Exchange exchange(*pool_, *connector_, timeout_);
    EXPECT_TRUE(co_await exchange.open(get, head));
    while (exchange.poll() != Exchange::Event::body) exchange.supply(co_await exchange.read());
    lease = exchange.body_lease();
  });
  EXPECT_EQ(std::string_view(lease.bytes().data(), lease.bytes().size()), "body");
  EXPECT_EQ(shard().stats().leases_out, 1U);
  lease.drop();
  EXPECT_EQ(shard().stats().leases_out, 0U);
  EXPECT_EQ(pool_->stats().connections, 0U);  // the exchange ended before its response did
  pool_->close();
  expect_sockets(0);
}

TEST_F(ExchangeTest, ClosedBetweenGettingAConnectionAndUsingIt) {
  Peer peer(Peer::answering(ok_response()));
  make({.max_connections = 1});
  run([&]() -> Task<void> {
    wire::ResponseHead first_head, second_head;
    Request get = request(peer);
    Exchange first(*pool_, *connector_, timeout_), second(*pool_, *connector_, timeout_);
    EXPECT_TRUE(co_await first.open(get, first_head));
    Background waiting(second.open(get, second_head));
    co_await yield();
    EXPECT_EQ(pool_->stats().waiting, 1U);
    EXPECT_EQ(first.poll(),
              Exchange::Event::end);  // hands its connection to the second, which has not run yet
    pool_->close();
    EXPECT_TRUE(co_await waiting.wait());
    auto result = waiting.take();
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::client_closed) << result.error().what();
    EXPECT_EQ(result.error().facts().bytes_sent, 0U);
    EXPECT_TRUE(result.error().safe_to_retry());
  });
  expect_sockets(0);
}

TEST_F(ExchangeTest, DescribesWithoutSecrets) {
  EXPECT_EQ(describe(Request::get("http://user:secret@host:81/path?token=1#f")), "GET http://host:81/path");
  EXPECT_EQ(describe(Request::post("http://host")), "POST http://host/");
}

}  // namespace
}  // namespace sluice::http
