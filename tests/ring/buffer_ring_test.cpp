// SPDX-License-Identifier: MIT
#include <thread>
#include <vector>

#include <sluice/combinators.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

std::string large_body(std::size_t size) {
  std::string body(size, '\0');
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  return body;
}

class BufferRingTest : public ShardTest {
 protected:
  /// A peer that answers every request with this body.
  std::function<void(PeerConnection&)> serving(const std::string& body) {
    std::string reply =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    return [reply](PeerConnection& connection) {
      while (!connection.read_head().empty()) connection.send(reply);
    };
  }
};

TEST_F(BufferRingTest, AStarvedRingServesEverybody) {
  set_up_shard({.buffers = {.count = 2, .size_bytes = 512}});
  const std::string body = large_body(20'000);
  Peer peer(serving(body));
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    auto one = [](AsyncClient& c, std::string url) -> Task<Response> { co_return co_await c.get(url); };
    std::vector<Task<Response>> requests;
    for (int i = 0; i < 24; ++i) requests.push_back(one(client, peer.url()));
    for (const Response& response : co_await when_all(std::move(requests)))
      EXPECT_EQ(response.content(), body);
  });
  EXPECT_GT(shard().stats().buffer_starvations, 0U);
  expect_quiet(client);
}

TEST_F(BufferRingTest, ChunksThatAreKeptDoNotStarveOthers) {
  set_up_shard({.buffers = {.count = 8, .size_bytes = 1024}});
  const std::string body = large_body(200'000);
  Peer peer(serving(body));
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<Chunk> kept;
    auto stream = co_await client.stream(Method::Get, peer.url());
    auto pieces = stream.iter_raw();
    while (auto chunk = co_await pieces.next()) kept.push_back(*std::move(chunk));
    auto other = co_await client.get(peer.url());
    EXPECT_EQ(other.content(), body);
    std::string joined;
    for (const Chunk& chunk : kept) joined += chunk.view();
    EXPECT_EQ(joined, body);
  });
  EXPECT_GT(shard().stats().lease_copies, 0U);
  expect_quiet(client);
}

TEST_F(BufferRingTest, AnOwnedChunkLetsItsBufferGo) {
  const std::string body = large_body(5000);
  Peer peer(serving(body));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    std::string joined;
    std::vector<Chunk> kept;
    auto stream = co_await client.stream(Method::Get, peer.url());
    auto pieces = stream.iter_raw();
    while (auto chunk = co_await pieces.next()) kept.push_back(std::move(*chunk).to_owned());
    EXPECT_EQ(shard().stats().leases_out, 0U);
    for (const Chunk& chunk : kept) joined += chunk.view();
    EXPECT_EQ(joined, body);
  });
}

TEST_F(BufferRingTest, ChunksMayBeDroppedOnAnotherThread) {
  set_up_shard({.buffers = {.count = 4, .size_bytes = 4096}});
  const std::string body = large_body(1'000'000);
  Peer peer(serving(body));
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    std::size_t size = 0;
    auto stream = co_await client.stream(Method::Get, peer.url());
    auto pieces = stream.iter_raw();
    while (auto chunk = co_await pieces.next()) {
      size += chunk->size();
      std::thread([kept = *std::move(chunk)]() mutable { Chunk dropped = std::move(kept); }).detach();
    }
    EXPECT_EQ(size, body.size());
  });
  expect_quiet(client);
}

TEST_F(BufferRingTest, ChunksMayOutliveTheirShard) {
  const std::string body = large_body(3000);
  Peer peer(serving(body));
  std::vector<Chunk> kept;
  {
    Shard brief;
    brief.block_on([](Shard& on, std::string url, std::vector<Chunk>& chunks) -> Task<void> {
      AsyncClient client(on);
      auto stream = co_await client.stream(Method::Get, url);
      auto pieces = stream.iter_raw();
      while (auto chunk = co_await pieces.next()) chunks.push_back(*std::move(chunk));
    }(brief, peer.url(), kept));
  }
  std::string joined;
  for (const Chunk& chunk : kept) joined += chunk.view();
  EXPECT_EQ(joined, body);
  std::thread([&] { kept.pop_back(); }).join();
  kept.clear();
}

}  // namespace
}  // namespace sluice
