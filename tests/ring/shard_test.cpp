// SPDX-License-Identifier: MIT
// Shards and engines on threads, and how they end.
#include "tests/support/shard_test.hpp"

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>
#include <sluice/engine.hpp>

namespace sluice {
namespace {

using namespace testing;

class ShardThreadsTest : public ShardTest {};

Task<int> count_answers(AsyncClient& client, std::string url, int requests) {
  int right = 0;
  for (int i = 0; i < requests; ++i) {
    auto response = co_await client.get(url).as_result();
    right += response && response->content() == "shared" ? 1 : 0;
  }
  co_return right;
}

TEST_F(ShardThreadsTest, EachThreadItsOwn) {
  Peer peer(Peer::answering(ok_response("shared")));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Shard own;
      AsyncClient client(own);
      right += own.block_on(count_answers(client, peer.url(), 50));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST_F(ShardThreadsTest, PostingBetweenShards) {
  // A ball goes round a ring of shards.
  constexpr int kShards = 3, kRounds = 500;
  std::vector<Shard*> shards(kShards);
  std::atomic<int> ready{0}, hops{0};
  std::atomic<bool> over{false};
  std::function<void(int)> hop = [&](int at) {
    if (++hops == kShards * kRounds) {
      over = true;
      return;
    }
    int next = (at + 1) % kShards;
    EXPECT_TRUE(shards[std::size_t(next)]->post([&hop, next] { hop(next); }));
  };
  std::vector<std::thread> threads;
  std::atomic<int> left{0};
  for (int i = 0; i < kShards; ++i) {
    threads.emplace_back([&, i] {
      Shard own;
      shards[std::size_t(i)] = &own;
      ++ready;
      while (ready < kShards) std::this_thread::yield();
      auto play = [&]() -> Task<void> {
        if (i == 0) hop(0);
        while (!over) co_await sleep_for(1ms);
      };
      own.block_on(play());
      ++left;  // nobody may go while another might still post to him
      while (left < kShards) std::this_thread::yield();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hops, kShards * kRounds);
}

TEST_F(ShardThreadsTest, ResponsesAndChunksMoveBetweenThreads) {
  Peer peer(Peer::answering(ok_response("shared")));
  for (int i = 0; i < 20; ++i) {
    std::vector<Chunk> chunks;
    std::optional<Response> response;
    std::thread([&] {
      Shard own;
      AsyncClient client(own);
      response.emplace(own.block_on(client.get(peer.url()).as_result()).value());
      auto stream = [&]() -> Task<void> {
        StreamingResponse streaming = co_await client.stream(Method::Get, peer.url());
        auto body = streaming.iter_raw();
        while (auto chunk = co_await body.next()) {
          Chunk dropped_elsewhere = *std::move(chunk);
          if (i % 2 == 0) {
            std::thread([held = std::move(dropped_elsewhere)] { (void)held; }).join();
          } else {
            chunks.push_back(std::move(dropped_elsewhere));
          }
        }
      };
      own.block_on(stream());
    }).join();
    EXPECT_EQ(response->content(), "shared");
    for (const Chunk& chunk : chunks) EXPECT_EQ(chunk.view(), "shared");
  }
}

// ---- how shards end

TEST_F(ShardThreadsTest, ClientsMayOutliveTheirShard) {
  Peer peer(Peer::answering(ok_response("shared")));
  std::unique_ptr<AsyncClient> client;
  {
    Shard own;
    client = std::make_unique<AsyncClient>(own);
    EXPECT_TRUE(own.block_on(client->get(peer.url()).as_result()));
    EXPECT_EQ(client->pool_stats().idle, 1U);
  }
  EXPECT_TRUE(client->is_closed());
  EXPECT_EQ(client->pool_stats().connections, 0U);
  EXPECT_EQ(outcome_of(run(client->get(peer.url()).as_result())), "ClientClosed in pool");
  client.reset();
}

TEST_F(ShardThreadsTest, RequestsThatWereNeverSentMayOutliveAll) {
  Task<Result<Response>> never;
  {
    Shard own;
    AsyncClient client(own);
    never = client.get("http://127.0.0.1:1/").content("x").as_result();
  }
  never.reset();
}

TEST_F(ShardThreadsTest, MessagesAreDeliveredUntilTheShardEndsThenRefused) {
  std::atomic<int> delivered{0};
  auto token = std::make_shared<int>(0);
  {
    Shard own;
    EXPECT_TRUE(own.post([&, token] { ++delivered; }));
    // Not run by anybody: the shard's end delivers it.
  }
  EXPECT_EQ(delivered, 1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(ShardThreadsTest, PostedFunctionsSeeTheShutdown) {
  std::optional<bool> accepted;
  {
    auto own = std::make_unique<Shard>();
    Shard* shard = own.get();
    EXPECT_TRUE(shard->post([&, shard] { accepted = shard->post([] {}); }));
  }
  EXPECT_EQ(accepted, false);
}

TEST_F(ShardThreadsTest, StreamingResponsesMayOutliveTheirShard) {
  for (int chunks = 0; chunks < 2; ++chunks) {
    Peer peer([](PeerConnection& connection) {
      connection.read_head();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour");
      connection.ending.wait();
    });
    std::optional<StreamingResponse> kept;
    std::optional<BodyIterator<Chunk>> body;
    {
      Shard own;
      AsyncClient client(own);
      auto open = [&]() -> Task<void> {
        kept.emplace(co_await client.stream(Method::Get, peer.url()));
        body.emplace(kept->iter_raw());
        for (int i = 0; i < chunks; ++i) EXPECT_EQ((co_await body->next())->view(), "four");
      };
      own.block_on(open());
    }
    EXPECT_EQ(kept->status(), 200);
    run([&]() -> Task<void> {  // what had been read with the head may still be there; then there is an error
                               // and no hang
      auto next = co_await body->next().as_result();
      if (next) next = co_await body->next().as_result();
      EXPECT_FALSE(next);
    });
  }
}

TEST_F(ShardThreadsTest, FramesThatWaitMayOutliveTheirShard) {
  Peer peer(Peer::silent());
  auto statuses = [](AsyncClient& client, std::string url, bool uploads) -> Generator<int> {
    auto endless = []() -> Generator<Chunk> {
      for (;;) co_yield Chunk(std::string_view("more"));
    };
    auto request = client.put(url).timeout(kNoTimeout);
    if (uploads) request.body(endless());
    auto response = co_await std::move(request);
    co_yield response.status();
  };
  for (bool uploads : {false, true}) {
    Generator<int> kept;
    {
      Shard own;
      AsyncClient client(own);
      kept = statuses(client, peer.url(), uploads);
      auto ask = [&]() -> Task<void> { (void)co_await kept.next(); };
      auto give_up = [&]() -> Task<void> { co_await when_any(ask(), sleep_for(20ms)); };
      own.block_on(give_up());
    }
    kept.reset();
  }
}

TEST_F(ShardThreadsTest, CoroutinesOutsideOfAShardDieWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(AsyncClient client, "outside of a shard");
}

// ---- engines

TEST_F(ShardThreadsTest, EngineRunsOnEachShardAtOnce) {
  Engine engine({.shards = 3});
  EXPECT_EQ(engine.size(), 3U);
  std::mutex mutex;
  std::set<unsigned> indices;
  std::set<std::thread::id> threads;
  std::atomic<int> together{0};
  engine.run_on_each([&](Shard& shard) -> Task<void> {
    {
      std::lock_guard lock(mutex);
      indices.insert(shard.index);
      threads.insert(std::this_thread::get_id());
    }
    ++together;
    while (together < 3) co_await sleep_for(100us);  // comes to an end only if all run at the same time
  });
  EXPECT_EQ(indices, (std::set<unsigned>{0, 1, 2}));
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_F(ShardThreadsTest, EngineWaitsForAllAndRethrowsTheFirst) {
  Engine engine({.shards = 3});
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> ended{0};
    auto function = [&](Shard& shard) -> Task<void> {
      co_await sleep_for(std::chrono::microseconds(100) * shard.index);
      ++ended;
      if (shard.index != 1) throw std::runtime_error("shard " + std::to_string(shard.index));
    };
    EXPECT_THROW(engine.run_on_each(function), std::runtime_error);
    EXPECT_EQ(ended, 3);
  }
  EXPECT_THROW(engine.run_on_each([](Shard&) -> Task<void> { throw std::logic_error("not even a task"); }),
               std::logic_error);
}

TEST_F(ShardThreadsTest, EngineBlocksOnATask) {
  Peer peer(Peer::answering(ok_response("shared")));
  Engine engine({.shards = 2});
  auto fetch = [&]() -> Task<std::string> {
    AsyncClient client;
    Response response = co_await client.get(peer.url());
    co_return std::string(response.content());
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(engine.block_on(fetch()), "shared");
  auto fail = []() -> Task<int> {
    throw std::runtime_error("thrown");
    co_return 1;
  };
  EXPECT_THROW(engine.block_on(fail()), std::runtime_error);
  auto nothing = []() -> Task<void> { co_return; };
  engine.block_on(nothing());
}

TEST_F(ShardThreadsTest, EnginesWithClientsThatStillHoldConnections) {
  Peer peer(Peer::answering(ok_response("shared")));
  for (int i = 0; i < 5; ++i) {
    std::vector<std::unique_ptr<AsyncClient>> clients(2);
    {
      Engine engine({.shards = 2});
      engine.run_on_each([&](Shard& shard) -> Task<void> {
        clients[shard.index] = std::make_unique<AsyncClient>();
        EXPECT_EQ(co_await count_answers(*clients[shard.index], peer.url(), 5), 5);
      });
    }
    for (auto& client : clients) EXPECT_TRUE(client->is_closed());
  }
}

TEST_F(ShardThreadsTest, OneLinerForScripts) {
  Peer peer(Peer::answering(ok_response("shared")));
  auto script = [&]() -> Task<int> {
    AsyncClient client;
    co_return (co_await client.get(peer.url())).status();
  };
  EXPECT_EQ(sluice::run(script()), 200);
}

}  // namespace
}  // namespace sluice
