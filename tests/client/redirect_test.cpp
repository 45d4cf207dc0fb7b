// SPDX-License-Identifier: MIT
// Following redirects: what is sent at each hop, what is kept of it, and where it ends.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

std::string redirect_to(std::string_view location, int status = 302, std::string_view body = "moved") {
  return "HTTP/1.1 " + std::to_string(status) + " R\r\nLocation: " + std::string(location) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

class RedirectTest : public ShardTest {
 protected:
  static ClientOptions following() { return ClientOptions().follow_redirects(true); }

  /// Answers one request after the other, whatever it is, with the next of these; with the last again and
  /// again.
  Peer::Script playing(std::vector<std::string> responses) {
    return [this, responses = std::move(responses)](PeerConnection& connection) {
      while (auto request = connection.read_request()) {
        std::size_t turn = log_.size();
        log_.add(*std::move(request));
        if (!connection.send(responses[std::min(turn, responses.size() - 1)])) return;
      }
    };
  }
  std::vector<std::string> lines() {
    std::vector<std::string> lines;
    for (const ReceivedRequest& request : log_.all()) lines.push_back(request.line());
    return lines;
  }
  using Lines = std::vector<std::string>;

  RequestLog log_;
};

TEST_F(RedirectTest, NotFollowedUnlessAskedFor) {
  Peer peer(playing({redirect_to("/next")}));
  AsyncClient client(shard());
  auto response = run(client.get(peer.url("/first")).as_result());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status(), 302);
  EXPECT_TRUE(response->has_redirect_location());
  EXPECT_TRUE(response->history().empty());
  ASSERT_TRUE(response->next_request());
  EXPECT_EQ(response->next_request()->url().str(), peer.url("/next"));
}

TEST_F(RedirectTest, TheNextRequestCanBeSentByHand) {
  Peer peer(playing({redirect_to("/next"), ok_response("there")}));
  AsyncClient client(shard(), ClientOptions().query("a", "b").header("X-A", "1"));
  auto response = run(client.get(peer.url("/first")).as_result());
  ASSERT_TRUE(response);
  auto next = run(client.send(*response->next_request()).as_result());
  ASSERT_TRUE(next);
  EXPECT_EQ(next->content(), "there");
  EXPECT_FALSE(next->next_request());
  EXPECT_EQ(lines(), (Lines{"GET /first?a=b HTTP/1.1", "GET /next HTTP/1.1"}));
  EXPECT_EQ(log_.last().field("x-a"), "1");
}

TEST_F(RedirectTest, FollowedWithHistory) {
  Peer peer(playing({redirect_to("/two", 301, "one"), redirect_to("three", 307, ""), ok_response("there")}));
  AsyncClient client(shard(), following());
  auto response = run(client.get(peer.url("/one#f")).as_result());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status(), 200);
  EXPECT_EQ(response->content(), "there");
  EXPECT_EQ(response->url().str(), peer.url("/three#f"));
  EXPECT_FALSE(response->next_request());
  ASSERT_EQ(response->history().size(), 2U);
  EXPECT_EQ(response->history()[0].status(), 301);
  EXPECT_EQ(response->history()[0].content(), "one");
  EXPECT_EQ(response->history()[0].url().str(), peer.url("/one#f"));
  EXPECT_EQ(response->history()[1].status(), 307);
  EXPECT_EQ(lines(), (Lines{"GET /one HTTP/1.1", "GET /two HTTP/1.1", "GET /three HTTP/1.1"}));
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(RedirectTest, ARequestMayDifferFromItsClient) {
  Peer peer(playing({redirect_to("/next")}));
  AsyncClient follows(shard(), following().max_redirects(1));
  AsyncClient does_not(shard(), ClientOptions().max_redirects(1));
  EXPECT_EQ(outcome_of(run(follows.get(peer.url()).follow_redirects(false).as_result())), "ok");
  EXPECT_EQ(outcome_of(run(does_not.get(peer.url()).follow_redirects(true).as_result())),
            "TooManyRedirects in head");
}

TEST_F(RedirectTest, TwentyAreFollowedAndNoMore) {
  std::vector<std::string> responses(20, redirect_to("/next"));
  responses.push_back(ok_response("there"));
  Peer peer(playing(responses));
  AsyncClient client(shard(), following());
  auto response = run(client.get(peer.url()).as_result());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->history().size(), 20U);

  Peer endless(Peer::answering(redirect_to("/next")));
  auto error = run(client.get(endless.url()).as_result());
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().kind(), ErrorKind::too_many_redirects);
  EXPECT_STREQ(error.error().facts().message.c_str(), "Exceeded maximum allowed redirects.");
  expect_quiet(client);
}

TEST_F(RedirectTest, NoRedirectIsFollowedBeyondAMaximumOfNone) {
  Peer peer(playing({redirect_to("/next")}));
  AsyncClient client(shard(), following().max_redirects(0));
  EXPECT_EQ(outcome_of(get(client, peer.url())), "TooManyRedirects in head");
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(RedirectTest, PostBecomesGetWithoutItsBody) {
  Peer peer(playing({redirect_to("/next", 303), ok_response()}));
  AsyncClient client(shard(), following());
  auto response = run(client.post(peer.url()).header("Content-Type", "a/b").content("body").as_result());
  ASSERT_TRUE(response);
  EXPECT_EQ(log_.last().line(), "GET /next HTTP/1.1");
  EXPECT_EQ(log_.last().field("content-type"), "-");
  EXPECT_EQ(log_.last().field("content-length"), "-");
}

TEST_F(RedirectTest, BodiesAreSentAgain) {
  for (int status : {307, 308}) {
    RequestLog log;
    Peer end(log.answering());
    Peer peer(Peer::answering(redirect_to(end.url("/next"), status)));
    AsyncClient client(shard(), following());
    auto response = run(client.post(peer.url()).content("body").as_result());
    ASSERT_TRUE(response);
    EXPECT_EQ(log.last().line(), "POST /next HTTP/1.1");
    EXPECT_EQ(log.last().body, "body");
    EXPECT_EQ(log.last().field("content-length"), "4");
  }
}

TEST_F(RedirectTest, BodiesThatAreNotWantedAreNotKept) {
  Peer peer(playing({redirect_to("/next", 302, "moved"), ok_response("there")}));
  AsyncClient client(shard(), following());
  auto response = run(client.get(peer.url()).discard_body().as_result());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->content(), "");
  ASSERT_EQ(response->history().size(), 1U);
  EXPECT_EQ(response->history()[0].content(), "");
  EXPECT_EQ(response->history()[0].num_bytes_downloaded(), 5U);
  EXPECT_EQ(peer.connections(), 1);
}

Generator<Chunk> two_chunks() {
  co_yield Chunk(std::string_view("one"));
  co_yield Chunk(std::string_view("two"));
}

TEST_F(RedirectTest, GeneratedBodiesCannotBeSentAgain) {
  for (int status : {307, 308, 303}) {
    RequestLog log;
    Peer end(log.answering());
    Peer peer([&](PeerConnection& connection) {
      connection.read_head();
      connection.read(std::string_view("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n").size());
      connection.send(redirect_to(end.url("/next"), status));
    });
    AsyncClient client(shard(), following());
    auto response = run(client.post(peer.url()).body(two_chunks()).as_result());
    EXPECT_EQ(outcome_of(response), status == 303 ? "ok" : "StreamConsumed in setup");
    EXPECT_EQ(log.last().line(), status == 303 ? "GET /next HTTP/1.1" : "");
    EXPECT_EQ(log.size(), status == 303 ? 1U : 0U);
  }
}

TEST_F(RedirectTest, CredentialsStayWithTheirOrigin) {
  RequestLog elsewhere;
  Peer end(elsewhere.answering());
  Peer peer(playing({redirect_to("/same"), redirect_to(end.url("/other"))}));
  AsyncClient client(shard(), following());
  auto response = run(client.get(peer.url())
                          .header("Authorization", "secret")
                          .header("Proxy-Authorization", "secret")
                          .header("Cookie", "secret")
                          .header("X-Api-Key", "forwarded")
                          .as_result());
  ASSERT_TRUE(response);
  EXPECT_EQ(log_.last().line(), "GET /same HTTP/1.1");
  EXPECT_EQ(log_.last().field("authorization"), "secret");
  EXPECT_EQ(log_.last().field("proxy-authorization"), "secret");
  EXPECT_EQ(elsewhere.last().field("authorization"), "-");
  EXPECT_EQ(elsewhere.last().field("proxy-authorization"), "-");
  EXPECT_EQ(elsewhere.last().field("cookie"), "-");
  EXPECT_EQ(elsewhere.last().field("x-api-key"), "forwarded");
  EXPECT_EQ(elsewhere.last().field("host"), end.authority());
}

TEST_F(RedirectTest, LocationsThatAreNoUrlAreLeftToTheCaller) {
  for (std::string_view location : {"http://b.example:abc/", "mailto:x@y"}) {
    RequestLog log;
    Peer peer(log.answering(redirect_to(location)));
    AsyncClient client(shard(), following());
    auto response = get(client, peer.url());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->status(), 302);
    EXPECT_TRUE(response->has_redirect_location());
    EXPECT_FALSE(response->next_request());
    EXPECT_TRUE(response->history().empty());
  }
}

TEST_F(RedirectTest, ForeignSchemesAreRefused) {
  Peer peer(playing({redirect_to("ftp://127.0.0.1/")}));
  AsyncClient client(shard(), following());
  EXPECT_EQ(outcome_of(get(client, peer.url())), "UnsupportedProtocol in setup");
}

TEST_F(RedirectTest, AFailureBehindARedirectIsTheRequests) {
  ClosedPort closed;
  Peer peer(playing({redirect_to(closed.url())}));
  AsyncClient client(shard(), following());
  EXPECT_EQ(outcome_of(get(client, peer.url())), "ConnectError in connect");
}

// ---- streamed

TEST_F(RedirectTest, StreamsAreFollowedOnTheSameConnection) {
  Peer peer(playing({redirect_to("/two"), redirect_to("/three", 308, ""), ok_response("there")}));
  AsyncClient client(shard(), following());
  auto body = [&]() -> Task<std::string> {
    auto response = co_await client.stream(Method::Get, peer.url("/one"));
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.history().size(), 2U);
    EXPECT_EQ(response.history()[0].status(), 302);
    EXPECT_EQ(response.history()[0].content(), "");
    EXPECT_EQ(response.url().str(), peer.url("/three"));
    co_return std::string(co_await response.read());
  };
  EXPECT_EQ(run(body), "there");
  EXPECT_EQ(peer.connections(), 1);
  expect_quiet(client);
}

TEST_F(RedirectTest, ALargeBodyOfAStreamedRedirectIsNotReadToItsEnd) {
  std::string head = "HTTP/1.1 302 Found\r\nLocation: /two\r\nContent-Length: 1000000000\r\n\r\n";
  Peer peer(playing({head + patterned_bytes(1000), ok_response("there")}));
  AsyncClient client(shard(), following());
  auto body = [&]() -> Task<std::string> {
    auto response = co_await client.stream(Method::Get, peer.url("/one"));
    co_return std::string(co_await response.read());
  };
  EXPECT_EQ(run(body), "there");
  EXPECT_EQ(peer.connections(), 2);
  expect_quiet(client);
}

TEST_F(RedirectTest, StreamsNotFollowedSayWhatWouldBeNext) {
  Peer peer(playing({redirect_to("/two")}));
  AsyncClient client(shard());
  auto body = [&]() -> Task<std::string> {
    auto response = co_await client.stream(Method::Get, peer.url("/one"));
    EXPECT_EQ(response.next_request()->url().str(), peer.url("/two"));
    co_return std::string(co_await response.read());
  };
  EXPECT_EQ(run(body), "moved");
}

}  // namespace
}  // namespace sluice
