// SPDX-License-Identifier: MIT
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "engine/ring/loop.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class StreamingTest : public ShardTest {
 protected:
  static Task<std::string> read_all(StreamingResponse& response) {
    auto pieces = response.iter_raw();
    std::string bytes;
    while (auto chunk = co_await pieces.next()) {
      EXPECT_GT(chunk->size(), 0U);
      bytes += chunk->view();
    }
    co_return bytes;
  }
};

TEST_F(StreamingTest, HeadFirstThenTheBody) {
  Gate head_seen;
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n");
    head_seen.wait();
    connection.send("5\r\nhello\r\n0\r\nT: u\r\n\r\n");
    connection.read_head();
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.headers().first("x"), "y");
    EXPECT_TRUE(response.trailers().empty());
    EXPECT_EQ(response.num_bytes_downloaded(), 0U);
    head_seen.open();
    EXPECT_EQ(co_await read_all(response), "hello");
    EXPECT_EQ(response.num_bytes_downloaded(), 5U);
    EXPECT_EQ(response.trailers().first("t"), "u");
    EXPECT_EQ(client.pool_stats().idle, 1U);  // the connection is free although the response still exists
  });
  expect_quiet(client);
}

TEST_F(StreamingTest, LargeBodiesOfEveryFraming) {
  const std::string body = patterned_bytes(3'000'000);
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 40'000) {
    std::string part = body.substr(at, 40'000);
    char line[32];
    std::snprintf(line, sizeof(line), "%zx\r\n", part.size());
    chunked += line + part + "\r\n";
  }
  chunked += "0\r\n\r\n";
  for (const std::string& bytes : {ok_response(body), chunked, "HTTP/1.1 200 OK\r\n\r\n" + body}) {
    Peer peer(Peer::answering_once(bytes));
    AsyncClient client(shard());
    std::string received = run([&]() -> Task<std::string> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      co_return co_await read_all(response);
    });
    EXPECT_TRUE(received == body);
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }));
    expect_sockets(0);
  }
}

TEST_F(StreamingTest, ChunksAreNotCopied) {
  Peer peer(Peer::answering(ok_response(patterned_bytes(100'000))));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    while (auto chunk = co_await pieces.next()) EXPECT_GE(shard().stats().leases_out, 1U);
  });
  EXPECT_EQ(shard().stats().lease_copies, 0U);
  expect_quiet(client);
}

TEST_F(StreamingTest, AnOwnedChunkHoldsNoBuffer) {
  Peer peer(Peer::answering(ok_response("some bytes")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    std::optional<Chunk> chunk = co_await pieces.next();
    EXPECT_EQ(shard().stats().leases_out, 1U);
    Chunk owned = (*std::move(chunk)).to_owned();
    chunk.reset();
    EXPECT_FALSE((co_await pieces.next()).has_value());
    EXPECT_EQ(shard().stats().leases_out, 0U);
    EXPECT_EQ(owned.view(), "some bytes");
    Chunk twice = std::move(owned).to_owned();
    EXPECT_EQ(twice.view(), "some bytes");
  });
  expect_quiet(client);
}

TEST_F(StreamingTest, DroppedEarlyClosesTheConnection) {
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.send(std::string(100'000, 'x'))) {
    }
  });
  AsyncClient client(shard());
  for (int chunks = 0; chunks < 3; ++chunks) {
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      auto pieces = response.iter_raw();
      for (int i = 0; i < chunks; ++i) EXPECT_TRUE((co_await pieces.next()).has_value());
    });
    EXPECT_EQ(client.pool_stats().connections, 0U);
    expect_sockets(0);
    EXPECT_TRUE(eventually([&] { return peer.ended_connections() == chunks + 1; }));
  }
}

TEST_F(StreamingTest, KeptChunksStayValid) {
  const std::string body = patterned_bytes(400'000);
  Peer peer(Peer::answering(ok_response(body)));
  AsyncClient client(shard());
  std::vector<Chunk> kept;
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    while (auto chunk = co_await pieces.next()) kept.push_back(*std::move(chunk));
  });
  // Another response passes through the same buffers meanwhile.
  ASSERT_TRUE(get(client, peer.url()));
  std::string joined;
  for (const Chunk& chunk : kept) joined += chunk.view();
  EXPECT_TRUE(joined == body);
  kept.clear();
  expect_quiet(client);
}

TEST_F(StreamingTest, KeptChunksStarveNobody) {
  const std::string body = patterned_bytes(300'000);
  for (std::uint32_t count : {1U, 2U, 4U, 8U}) {
    SCOPED_TRACE(count);
    Shard own({.buffers = {.count = count, .size_bytes = 4096}});
    Peer peer(Peer::answering(ok_response(body)));
    std::vector<Chunk> kept;
    {
      AsyncClient client(own, ClientOptions().timeout(3s));
      auto keep_all = [&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, peer.url());
        auto pieces = response.iter_raw();
        while (auto chunk = co_await pieces.next()) kept.push_back(*std::move(chunk));
      };
      EXPECT_NO_THROW(own.block_on(keep_all()));
      auto response = own.block_on(client.get(peer.url()).as_result());
      EXPECT_TRUE(response) << response.error().what();
    }
    std::string joined;
    for (const Chunk& chunk : kept) joined += chunk.view();
    EXPECT_TRUE(joined == body);
    EXPECT_GT(own.stats().lease_copies, 0U);
  }
}

TEST_F(StreamingTest, ChunksMayBeDroppedOnOtherThreadsAndAfterTheShard) {
  const std::string body = patterned_bytes(300'000);
  Peer peer(Peer::answering(ok_response(body)));
  std::vector<Chunk> late;
  {
    Shard own({.buffers = {.count = 16, .size_bytes = 4096}});
    AsyncClient client(own);
    auto work = [&]() -> Task<void> {
      for (int i = 0; i < 10; ++i) {
        std::vector<std::thread> threads;
        StreamingResponse response = co_await client.stream(Method::Get, peer.url());
        auto pieces = response.iter_raw();
        while (auto chunk = co_await pieces.next()) {
          if (i == 9)
            late.push_back(*std::move(chunk));
          else
            threads.emplace_back([held = *std::move(chunk)] { (void)held; });
        }
        for (std::thread& thread : threads) thread.join();
      }
    };
    own.block_on(work());
    auto settle = [&]() -> Task<void> {
      while (own.stats().leases_out > late.size()) co_await sleep_for(100us);
    };
    own.block_on(settle());
  }
  std::string joined;
  for (const Chunk& chunk : late) joined += chunk.view();
  EXPECT_TRUE(joined == body);
  std::thread([chunks = std::move(late)]() mutable { chunks.clear(); }).join();
}

TEST_F(StreamingTest, TimeoutsAndClosingEndTheStream) {
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.ending.wait();
  });
  {
    AsyncClient client(shard(), ClientOptions().timeout(30ms));
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url("/p?q"));
      auto pieces = response.iter_raw();
      EXPECT_EQ((co_await pieces.next())->view(), "half");
      for (int i = 0; i < 2; ++i) {  // the error stays
        auto next = co_await pieces.next().as_result();
        EXPECT_EQ(outcome_of(next), "ReadTimeout in body");
        EXPECT_EQ(next.error().facts().request, "GET " + peer.url("/p"));
      }
    });
    expect_quiet(client);
  }
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    (void)co_await pieces.next();
    client.close();
    EXPECT_EQ(outcome_of(co_await pieces.next().as_result()), "ClientClosed in body");
  });
  expect_sockets(0);
}

TEST_F(StreamingTest, OutlivesItsClient) {
  // Destroying the client closes its connections; the response says so.
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.read(1);  // until the client goes
  });
  auto client = std::make_unique<AsyncClient>(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client->stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    client.reset();
    EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 1; })) << "the connection is still open";
    for (;;) {
      auto next = co_await pieces.next().as_result();
      if (next) continue;
      EXPECT_EQ(outcome_of(next), "ClientClosed in body");
      break;
    }
  });
  expect_sockets(0);
}

TEST_F(StreamingTest, SlowReaderHoldsThePeerBack) {
  // The reader takes nothing for a while: the peer must get stuck long before it has sent everything.
  constexpr std::size_t kSize = 64'000'000;
  std::atomic<std::size_t> sent{0};
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    const std::string part(100'000, 'x');
    while (sent < kSize && connection.send(part)) sent += part.size();
    connection.read(1);
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    std::size_t before = 0;
    do {  // until the peer makes no headway any more
      before = sent;
      co_await sleep_for(50ms);
    } while (sent != before);
    EXPECT_LT(before, kSize / 2);
    std::size_t received = 0;
    while (auto chunk = co_await pieces.next()) received += chunk->size();
    EXPECT_EQ(received, kSize);
  });
  expect_quiet(client);
}

TEST_F(StreamingTest, ManyAtOnceWithFewBuffers) {
  const std::string body = patterned_bytes(200'000);
  Shard own({.ring_entries = 4, .buffers = {.count = 4, .size_bytes = 1024}});
  Peer peer(Peer::answering(ok_response(body)));
  AsyncClient client(own, ClientOptions().timeout(kPatience));
  int right = 0;
  auto one = [&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    right += co_await read_all(response) == body ? 1 : 0;
  };
  auto all = [&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(one());
    co_await when_all(std::move(tasks));
  };
  own.block_on(all());
  EXPECT_EQ(right, 40);
  EXPECT_GT(own.stats().buffer_starvations, 0U);
}

/// Time limits that run out while pieces arrive: whatever falls into the same turn, no byte may be skipped.
TEST_F(StreamingTest, ACancelledNextLosesNothing) {
  const std::string body = patterned_bytes(8'000);
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 4) connection.send(body.substr(at, 4));
  });
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    auto response = co_await client.stream(Method::Get, peer.url());
    auto pieces = response.iter_raw();
    std::string joined;
    for (bool ended = false; !ended;) {
      auto piece = co_await with_timeout(100us, pieces.next().as_result());
      if (!piece) {
        EXPECT_EQ(piece.error().kind(), ErrorKind::deadline_exceeded);
        if (piece.error().kind() != ErrorKind::deadline_exceeded) co_return;
        continue;
      }
      if (*piece) joined += (*piece)->view();
      ended = !*piece;
    }
    EXPECT_EQ(joined, body);
  });
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
