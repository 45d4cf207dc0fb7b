// SPDX-License-Identifier: MIT
// When a connection may be used again, and what becomes of those that may not.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class KeepAliveTest : public ShardTest {};

struct Row {
  const char* name;
  std::string response;
  bool reused;
  const char* method = "GET";
  const char* connection = nullptr;  // the request's Connection field
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

class KeepAliveTable : public KeepAliveTest, public ::testing::WithParamInterface<Row> {};

const Row kRows[] = {
    {"Counted", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
    {"Empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
    {"Chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
    {"ChunkedWithTrailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", true},
    {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", true},
    {"NotModified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", true},
    {"ServerError", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", true},
    {"AfterInformational", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
    {"ReplyToHead", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", true, "HEAD"},
    {"ReplyToHeadChunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, "HEAD"},
    {"KeepAliveStated", "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", true},
    {"Close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
    {"CloseInOtherCase", "HTTP/1.1 200 OK\r\nconnection: CLOSE\r\nContent-Length: 0\r\n\r\n", false},
    {"CloseInAList", "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n", false},
    {"CloseInASecondField",
     "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
    {"CloseOnNoContent", "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", false},
    {"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
    {"Http10KeepAlive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
    {"LengthAndCoding", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     false},
    {"BytesAfterTheEnd", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", false},
    {"BytesAfterNoContent", "HTTP/1.1 204 No Content\r\n\r\nx", false},
    {"BodyInReplyToHead", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "HEAD"},
    {"RequestAskedToClose", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "GET", "close"},
    {"RequestAskedToCloseInAList", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "GET", "x, Close"},
};

TEST_P(KeepAliveTable, ConnectionIsReusedOrNot) {
  const Row& row = GetParam();
  Peer peer(Peer::answering(row.response));
  AsyncClient client(shard());
  for (int i = 0; i < 3; ++i) {
    Request request = client.build_request(row.method, peer.url());
    if (row.connection != nullptr) request.header("Connection", row.connection);
    auto response = run(client.send(std::move(request)).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(client.pool_stats().idle, row.reused ? 1U : 0U);
  }
  EXPECT_EQ(client.pool_stats().opened, row.reused ? 1U : 3U);
  expect_quiet(client);
}

INSTANTIATE_TEST_SUITE_P(Rows, KeepAliveTable, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

// ---- idle connections

TEST_F(KeepAliveTest, IdleConnectionIsGivenUpWhenThePeerClosesOrSpeaks) {
  for (std::string_view what : {"close"sv, "reset"sv, "speak"sv, "half close"sv}) {
    SCOPED_TRACE(std::string(what));
    Gate answered;
    Peer peer([&](PeerConnection& connection) {
      connection.read_request();
      connection.send(ok_response());
      answered.wait();
      if (what == "reset") connection.reset();
      if (what == "speak") connection.send(ok_response("a reply to nobody"));
      if (what == "half close") connection.half_close();
      if (what != "close") connection.ending.wait();
    });
    AsyncClient client(shard());
    ASSERT_TRUE(get(client, peer.url()));
    EXPECT_EQ(client.pool_stats().idle, 1U);
    answered.open();
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }));
    expect_sockets(0);
  }
}

TEST_F(KeepAliveTest, IdleConnectionExpiresByItself) {
  Peer peer(Peer::answering(ok_response()));
  AsyncClient client(shard(), ClientOptions().limits({.keepalive_expiry = 30ms}));
  ASSERT_TRUE(get(client, peer.url()));
  EXPECT_EQ(client.pool_stats().idle, 1U);
  EXPECT_TRUE(eventually([&] {
    run([]() -> Task<void> { co_await sleep_for(1ms); });
    return peer.ended_connections() == 1;
  }));
  EXPECT_EQ(client.pool_stats().connections, 0U);
}

TEST_F(KeepAliveTest, NothingIsKeptWhenNothingMayBe) {
  Peer peer(Peer::answering(ok_response()));
  for (Limits limits : {Limits{.max_keepalive_connections = 0}, Limits{.keepalive_expiry = 0s}}) {
    AsyncClient client(shard(), ClientOptions().limits(limits));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(get(client, peer.url()));
    EXPECT_EQ(client.pool_stats().opened, 3U);
    EXPECT_EQ(client.pool_stats().connections, 0U);
  }
}

TEST_F(KeepAliveTest, EndlessExpiryIsNoOverflow) {
  Peer peer(Peer::answering(ok_response()));
  for (Duration expiry : {kNoTimeout, kNoTimeout - 1ns, Duration(std::chrono::hours(24 * 365 * 200))}) {
    AsyncClient client(shard(), ClientOptions().limits({.keepalive_expiry = expiry}));
    ASSERT_TRUE(get(client, peer.url()));
    EXPECT_TRUE(turn_until([&, turns = 0]() mutable { return ++turns > 5; }));
    EXPECT_EQ(client.pool_stats().idle, 1U);
  }
}

// ---- replies at the wrong time

TEST_F(KeepAliveTest, EarlyReplyToAnUploadIsDelivered) {
  // The peer answers after the head and reads no more; the rest of the body has nowhere to go.
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer();
    connection.read_head();
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nstop");
    connection.ending.wait();
  });
  AsyncClient client(shard());
  auto response = run(client.post(peer.url()).content(patterned_bytes(20'000'000)).as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->status(), 413);
  EXPECT_EQ(response->content(), "stop");
  EXPECT_EQ(client.pool_stats().connections, 0U);  // half a request stands on the connection
  expect_sockets(0);
}

TEST_F(KeepAliveTest, EarlyReplyToAnUploadThenClose) {
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nstop");
    connection.half_close();
    connection.read(30'000'000);
  });
  AsyncClient client(shard());
  auto response = run(client.post(peer.url()).content(patterned_bytes(5'000'000)).as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->status(), 413);
  EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }));
  expect_sockets(0);
}

TEST_F(KeepAliveTest, ResponseIsNotTakenForTheNextRequest) {
  // After each response the peer sends a second one. Whoever asks next must never see it.
  Peer peer([](PeerConnection& connection) {
    while (auto request = connection.read_request())
      connection.send(ok_response(request->line()) + ok_response("poison"));
  });
  AsyncClient client(shard());
  for (int i = 0; i < 20; ++i) {
    std::string path = "/" + std::to_string(i);
    auto response = get(client, peer.url(path));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "GET " + path + " HTTP/1.1");
  }
  EXPECT_EQ(client.pool_stats().opened, 20U);
}

}  // namespace
}  // namespace sluice
