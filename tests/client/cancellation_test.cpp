// SPDX-License-Identifier: MIT
// A request is cancelled at each turn of the loop that it lives through, whatever it waits for at that
// moment. Nothing of it may be left, and the client goes on working.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>
#include <sluice/scope.hpp>

#include "engine/ring/loop.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class CancellationTest : public ShardTest {
 protected:
  /// Starts what `make` gives, lets the loop turn `turns` times, and cancels. `each_turn` is called after
  /// each turn. True when the task had ended by itself before.
  template <class Make, class EachTurn>
  bool cancelled_after(int turns, Make make, EachTurn each_turn) {
    ring::Activation activation(shard().loop());
    auto task = make();
    Background running(std::move(task));
    for (int i = 0; i < turns && !running.done(); ++i) {
      shard().loop().turn(Clock::now() + 1ms);
      each_turn();
    }
    return running.done();
  }

  /// Cancels after the first turn, after the second, and so on until the task ends by itself. A turn may see
  /// nothing because the peer is slow, so that takes a different number of turns each time; it must come to
  /// an end.
  template <class Make, class EachTurn>
  void cancel_everywhere(AsyncClient& client, Make make, EachTurn each_turn) {
    int quick_ends = 0;
    for (int turns = 0; quick_ends < 3; ++turns) {
      SCOPED_TRACE("cancelled after " + std::to_string(turns) + " turns");
      ASSERT_LT(turns, 3000);
      quick_ends += cancelled_after(turns, make, each_turn) ? 1 : 0;
      expect_quiet(client);
      if (HasFailure()) return;
    }
    auto response = get(client, healthy_.url());
    EXPECT_TRUE(response) << response.error().what();
  }

  Peer healthy_{Peer::answering(ok_response("fine"))};
};

/// Sends the pieces of its responses one by one, a token each.
class DrippingPeer {
 public:
  explicit DrippingPeer(std::vector<std::string> pieces)
      : pieces_(std::move(pieces)), peer_([this](PeerConnection& connection) {
          while (connection.read_request()) {
            for (const std::string& piece : pieces_) {
              if (!tokens_.take() || !connection.send(piece)) return;
            }
          }
        }) {}
  ~DrippingPeer() { tokens_.close(); }

  void drip() { tokens_.add(); }
  std::string url() const { return peer_.url(); }

 private:
  std::vector<std::string> pieces_;
  Tokens tokens_;
  Peer peer_;
};

std::vector<std::string> in_pieces(const std::string& bytes, std::size_t size) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

const std::string kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnine\r\n5\r\n byte\r\n0\r\nA: b\r\n\r\n";

TEST_F(CancellationTest, FromConnectToTheLastByte) {
  DrippingPeer peer(in_pieces(kChunked, 9));
  AsyncClient client(shard(), ClientOptions().limits({.max_keepalive_connections = 0}));
  cancel_everywhere(
      client, [&] { return client.get(peer.url()).as_result(); }, [&] { peer.drip(); });
}

TEST_F(CancellationTest, OnAConnectionThatWasUsedBefore) {
  DrippingPeer peer(in_pieces(ok_response("some body"), 9));
  AsyncClient client(shard());
  auto both = [&]() -> Task<void> {
    (void)co_await client.get(peer.url()).as_result();
    (void)co_await client.get(peer.url()).as_result();
  };
  cancel_everywhere(client, both, [&] { peer.drip(); });
}

TEST_F(CancellationTest, NamesWithSeveralAddresses) {
  // 127.0.0.1 refuses, ::1 answers (or the other way round).
  Peer six(Peer::answering(ok_response()), loopback("::1"));
  AsyncClient client(shard(), ClientOptions().limits({.max_keepalive_connections = 0}));
  std::string url = "http://a.localhost:" + std::to_string(six.port()) + "/";
  cancel_everywhere(
      client, [&] { return client.get(url).as_result(); }, [] {});
}

TEST_F(CancellationTest, LargeUploadToASlowReader) {
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer(64 * 1024);
    while (connection.read_request() && connection.send(ok_response())) {
    }
  });
  const std::string body = patterned_bytes(3'000'000);
  AsyncClient client(shard(), ClientOptions().limits({.max_keepalive_connections = 0}));
  cancel_everywhere(
      client, [&] { return client.post(peer.url()).content(body).as_result(); }, [] {});
}

TEST_F(CancellationTest, WhileStreaming) {
  DrippingPeer peer(in_pieces(kChunked, 9));
  AsyncClient client(shard());
  auto read_all = [&]() -> Task<void> {
    auto response = co_await client.stream(Method::Get, peer.url()).as_result();
    if (!response) co_return;
    std::vector<Chunk> kept;
    auto body = response->iter_raw();
    while (auto chunk = co_await body.next()) kept.push_back(*std::move(chunk));
  };
  cancel_everywhere(client, read_all, [&] { peer.drip(); });
}

TEST_F(CancellationTest, WhileManyWaitForOneConnection) {
  DrippingPeer peer(in_pieces(ok_response("body"), 20));
  AsyncClient client(shard(), ClientOptions().limits({.max_connections = 1}));
  auto four = [&]() -> Task<void> {
    std::vector<Task<Result<Response>>> requests;
    for (int i = 0; i < 4; ++i) requests.push_back(client.get(peer.url()).as_result());
    (void)co_await when_all(std::move(requests));
  };
  cancel_everywhere(client, four, [&] { peer.drip(); });
}

TEST_F(CancellationTest, TheConnectingOfManyGivesItsPlaceOn) {
  // The first takes the only place and never gets anywhere; cancelled, it makes way for the second.
  DeafPeer deaf;
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout).limits({.max_connections = 1}));
  run([&]() -> Task<void> {
    Background first(client.get(deaf.url()).as_result());
    co_await yield();
    Background second(client.get(healthy_.url()).as_result());
    co_await sleep_for(2ms);
    EXPECT_FALSE(second.done());
    EXPECT_EQ(client.pool_stats().waiting, 1U);
    first.cancel();
    EXPECT_TRUE(co_await second.wait());
    EXPECT_EQ(outcome_of(second.take()), "ok");
  });
  expect_quiet(client);
}

TEST_F(CancellationTest, AWaiterThatIsCancelledIsSkipped) {
  DrippingPeer peer({ok_response("body")});
  AsyncClient client(shard(), ClientOptions().limits({.max_connections = 1}));
  run([&]() -> Task<void> {
    Background first(client.get(peer.url()).as_result());
    co_await yield();
    Background second(client.get(peer.url()).as_result());
    co_await yield();
    Background third(client.get(peer.url()).as_result());
    co_await yield();
    EXPECT_EQ(client.pool_stats().waiting, 2U);
    second.cancel();
    EXPECT_EQ(client.pool_stats().waiting, 1U);
    peer.drip();
    EXPECT_TRUE(co_await first.wait());
    peer.drip();
    EXPECT_TRUE(co_await third.wait());
    EXPECT_EQ(client.pool_stats().opened, 1U);
  });
  expect_quiet(client);
}

// ---- by combinators

TEST_F(CancellationTest, ByTimeout) {
  Peer silent(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  for (Duration limit : {Duration(0), Duration(100us), Duration(5ms)}) {
    auto result = run(with_timeout(limit, client.get(silent.url()).as_result()));
    EXPECT_EQ(result ? ErrorKind::http_status_error : result.error().kind(), ErrorKind::deadline_exceeded);
    expect_quiet(client);
  }
  EXPECT_EQ(outcome_of(run(with_timeout(kPatience, client.get(healthy_.url()).as_result()))), "ok");
}

TEST_F(CancellationTest, ByTheWinnerOfARace) {
  Peer silent(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  run([&]() -> Task<void> {
    auto winner = co_await when_any(client.get(silent.url()).as_result(),
                                    client.get(healthy_.url()).as_result(), sleep_for(kPatience));
    EXPECT_EQ(winner.index(), 1U);
  });
  EXPECT_EQ(client.pool_stats().connections, 1U);
  expect_quiet(client);
}

TEST_F(CancellationTest, ByTheFailureOfASibling) {
  Peer silent(Peer::silent());
  ClosedPort nobody;
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  EXPECT_THROW(run(when_all(client.get(silent.url()), client.get(nobody.url()))), ConnectError);
  expect_quiet(client);
}

TEST_F(CancellationTest, ByAScope) {
  Peer silent(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout).limits({.max_connections = 5}));
  auto body = [&](Scope& children) -> Task<void> {
    for (int i = 0; i < 10; ++i) children.spawn(client.get(silent.url()).as_result());
    co_await sleep_for(5ms);
    EXPECT_EQ(client.pool_stats().connections, 5U);
    EXPECT_EQ(client.pool_stats().waiting, 5U);
    children.cancel();
  };
  run(scope(body));
  expect_quiet(client);
  EXPECT_EQ(client.pool_stats().connections, 0U);
}

TEST_F(CancellationTest, TheShardEndsWithARequestInFlight) {
  // The task is cancelled when block_on's argument goes; what the kernel holds goes with the shard.
  Peer silent(Peer::silent());
  for (int turns = 0; turns < 6; ++turns) {
    Shard own;
    AsyncClient client(own, ClientOptions().timeout(kNoTimeout));
    ring::Activation activation(own.loop());
    Background request(client.get(silent.url()).as_result());
    for (int i = 0; i < turns; ++i) own.loop().turn(Clock::now() + 1ms);
  }
}

}  // namespace
}  // namespace sluice
