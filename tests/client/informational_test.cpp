// SPDX-License-Identifier: MIT
// 1xx responses before the final one (RFC 9110, 15.2; RFC 8297).
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;

const std::string kThreeThenFinal =
    "HTTP/1.1 100 Continue\r\n\r\n"
    "HTTP/1.1 102 \r\nX: y\r\n\r\n"
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n" +
    ok_response("final", "X: z\r\n");
const std::vector<std::string> kThree = {"100 Continue -", "102  -",
                                         "103 Early Hints </a.css>; rel=preload, </b.js>"};

std::string described(const InformationalResponse& response) {
  return std::to_string(response.status) + " " + std::string(response.reason) + " " +
         response.headers.get("link").value_or("-");
}

class InformationalTest : public ShardTest {
 protected:
  std::vector<std::string> seen_;
};

TEST_F(InformationalTest, EachIsHandedOverInOrder) {
  Peer peer(Peer::answering(kThreeThenFinal));
  AsyncClient client(shard());
  auto observe = [this](const InformationalResponse& response) { seen_.push_back(described(response)); };
  for (int i = 0; i < 2; ++i) {
    seen_.clear();
    Response response = run(client.get(peer.url()).on_informational(observe).as_result()).value();
    EXPECT_EQ(seen_, kThree);
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.content(), "final");
    EXPECT_EQ(response.headers().get("x"), "z");  // nothing of the others is left
    EXPECT_FALSE(response.headers().contains("link"));
  }
  EXPECT_EQ(get(client, peer.url()).value().content(), "final");  // nobody need look
  EXPECT_EQ(seen_, kThree);
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

TEST_F(InformationalTest, StreamedAndByHand) {
  Peer peer(Peer::answering(kThreeThenFinal));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    std::vector<std::string> mine;
    StreamingResponse response =
        co_await client.stream(Method::Get, peer.url())
            .on_informational([&](const InformationalResponse& early) { mine.push_back(described(early)); });
    EXPECT_EQ(mine, kThree);
    EXPECT_EQ(co_await response.read(), "final");
    mine.clear();
    auto request = client.build_request(Method::Post, peer.url());
    auto kept = std::make_shared<std::vector<std::string>>();
    auto observe = [kept](const InformationalResponse& early) { kept->push_back(described(early)); };
    request.on_informational(observe).content("body");
    for (int i = 0; i < 2; ++i) {  // a request is a value: its observer is called each time
      kept->clear();
      Response whole = co_await client.send(request);
      EXPECT_EQ(*kept, kThree);
    }
    EXPECT_TRUE(mine.empty());
  });
}

TEST_F(InformationalTest, HandedOverAsTheyArriveHoweverCut) {
  Tokens tokens;
  Peer peer([&](PeerConnection& connection) {
    while (connection.read_request()) {
      for (char byte : kThreeThenFinal) connection.send({&byte, 1});
    }
  });
  Peer slow([&](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    if (!tokens.take()) return;  // only the observer lets the final response go
    connection.send(ok_response("final"));
    connection.read(1);
  });
  AsyncClient client(shard());
  auto observe = [this](const InformationalResponse& response) { seen_.push_back(described(response)); };
  EXPECT_EQ(run(client.get(peer.url()).on_informational(observe).as_result()).value().content(), "final");
  EXPECT_EQ(seen_, kThree);
  auto let_go = [&](const InformationalResponse&) { tokens.add(); };
  EXPECT_EQ(run(client.get(slow.url()).on_informational(let_go).as_result()).value().content(), "final");
  tokens.close();
}

TEST_F(InformationalTest, NoneThatIsForbidden) {
  // A 101 that nobody asked for, too many, and one that never becomes final.
  const std::vector<std::string> responses = {
      "HTTP/1.1 101 Switching Protocols\r\n\r\n" + ok_response(),
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" +
          ok_response(),
      "HTTP/1.1 100 Continue\r\n\r\n"};
  const std::vector<std::size_t> handed_over = {0, 2, 1};
  for (std::size_t i = 0; i < responses.size(); ++i) {
    seen_.clear();
    Peer peer(Peer::answering_once(responses[i]));
    AsyncClient client(shard(), ClientOptions().receive_limits({.max_informational_responses = 2}));
    auto observe = [this](const InformationalResponse& response) { seen_.push_back(described(response)); };
    EXPECT_EQ(outcome_of(run(client.get(peer.url()).on_informational(observe).as_result())),
              "RemoteProtocolError in head");
    EXPECT_EQ(seen_.size(), handed_over[i]);
  }
}

}  // namespace
}  // namespace sluice
