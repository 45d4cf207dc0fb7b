// SPDX-License-Identifier: MIT
// The pieces of a body in the hands of their holder: where they lie, how long they last, and what becomes of
// an iteration that is closed or cancelled under its user.
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "engine/ring/loop.hpp"
#include "tests/support/encoders.hpp"
#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;

const std::string kGzipField = "Content-Encoding: gzip\r\n";

class ChunksTest : public ShardTest {
 protected:
  bool in_buffer_ring(const Chunk& chunk) {
    const ring::BufferRing& buffers = shard().loop().buffers();
    return buffers.contains(chunk.view().data()) && buffers.contains(&chunk.view().back());
  }
};

TEST_F(ChunksTest, PlainPiecesLieWhereTheKernelPutThem) {
  const std::string body = patterned_bytes(2'000'000);
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < body.size(); at += 9'999)
    pieces.push_back(std::string_view(body).substr(at, 9'999));
  const std::vector<std::string> responses = {ok_response(body), chunked_response(pieces)};
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i) {
    for (bool decoded : {false, true}) {
      run([&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, peer.url("/" + std::to_string(i)));
        auto iterator = decoded ? response.iter_bytes() : response.iter_raw();
        std::string all;
        while (auto chunk = co_await iterator.next()) {
          EXPECT_TRUE(in_buffer_ring(*chunk));
          all += chunk->view();
        }
        EXPECT_TRUE(all == body);
      });
    }
  }
  EXPECT_EQ(shard().stats().lease_copies, 0U);
  expect_quiet(client);
}

TEST_F(ChunksTest, BlocksAreCopiedOnlyWhereTheyStandInTwoPieces) {
  const std::string body = patterned_bytes(10'000);
  Peer peer(Peer::answering(chunked_response(std::vector{body.substr(0, 5'000), body.substr(5'000)})));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto blocks = response.iter_bytes(2'000);
    std::vector<bool> in_place;
    while (auto block = co_await blocks.next()) in_place.push_back(in_buffer_ring(*block));
    EXPECT_EQ(in_place, (std::vector<bool>{true, true, false, true, true}));
  });
  expect_quiet(client);
}

TEST_F(ChunksTest, AnOwnedPieceHoldsNothingElse) {
  const std::string content = patterned_bytes(1'000);
  Peer peer(answering_by_number({ok_response(content), ok_response(gzip(content), kGzipField)}));
  AsyncClient client(shard());
  for (std::string number : {"/0", "/1"}) {
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url(number));
      auto pieces = response.iter_bytes();
      std::optional<Chunk> piece = co_await pieces.next();
      const char* address = piece->view().data();
      Chunk owned = (*std::move(piece)).to_owned();
      EXPECT_NE(owned.view().data(), address) << "still in the block that the engine works with";
      EXPECT_EQ(owned.view(), content);
      EXPECT_FALSE(in_buffer_ring(owned));
      address = owned.view().data();
      Chunk again = std::move(owned).to_owned();
      EXPECT_EQ(again.view().data(), address) << "copied twice";
      EXPECT_EQ(owned.size(), 0U);
      EXPECT_EQ(Chunk().to_owned().size(), 0U);
    });
  }
  EXPECT_EQ(shard().stats().leases_out, 0U);
}

TEST_F(ChunksTest, TenThousandAreKept) {
  const std::string body = patterned_bytes(370'000);
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < body.size(); at += 37)
    pieces.push_back(std::string_view(body).substr(at, 37));
  Peer many_chunks(Peer::answering(chunked_response(pieces)));
  Peer small(Peer::answering(ok_response("one of many")));
  AsyncClient client(shard());
  std::vector<Chunk> kept;
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, many_chunks.url());
    auto iterator = response.iter_raw();
    while (auto chunk = co_await iterator.next()) kept.push_back(*std::move(chunk));
  });
  const std::size_t of_one_body = kept.size();
  ASSERT_GE(of_one_body, 10'000U);  // a buffer may end in the middle of a piece
  // Each of these would hold a buffer of its own.
  run([&]() -> Task<void> {
    for (int i = 0; i < 2'000; ++i) {
      StreamingResponse response = co_await client.stream(Method::Get, small.url());
      auto iterator = response.iter_raw();
      while (auto chunk = co_await iterator.next()) kept.push_back(*std::move(chunk));
    }
  });
  EXPECT_GT(shard().stats().lease_copies, 1'000U);
  EXPECT_LT(shard().stats().leases_out, 256U);
  std::string joined;
  for (std::size_t i = 0; i < of_one_body; ++i) joined += kept[i].view();
  EXPECT_TRUE(joined == body);
  for (std::size_t i = of_one_body; i < kept.size(); ++i) EXPECT_EQ(kept[i].view(), "one of many");
  std::thread([chunks = std::move(kept)]() mutable { chunks.clear(); }).join();
  expect_quiet(client);
}

// ---- closed under the iterator

/// A body that never ends, in pieces that hold several lines, blocks and characters.
class EndlessPeer {
 public:
  explicit EndlessPeer(bool coded = false)
      : peer_([coded](PeerConnection& connection) {
          connection.read_request();
          const std::string piece = "one\ntwo\nthree\n";
          connection.send(chunked_head(coded ? kGzipField : "") + chunk_of(coded ? gzip(piece) : piece));
          connection.read(1);  // until the client goes
        }) {}
  std::string url() const { return peer_.url(); }
  bool client_has_gone(int times) const {
    return eventually([&] { return peer_.ended_connections() == times; });
  }

 private:
  Peer peer_;
};

class ClosedIterationTest : public ChunksTest {
 protected:
  /// Takes one piece, has the response closed, and expects that there is no more to take.
  template <class Piece, class Close>
  Task<void> expect_closed(AsyncClient& client, std::string url,
                           BodyIterator<Piece> (*iterate)(StreamingResponse&), Close close) {
    auto response = std::make_unique<StreamingResponse>(co_await client.stream(Method::Get, url));
    BodyIterator<Piece> body = iterate(*response);
    auto first = co_await body.next().as_result();
    EXPECT_EQ(outcome_of(first), "ok");
    co_await close(response);
    EXPECT_EQ(client.pool_stats().connections, 0U);
    for (int i = 0; i < 2; ++i) {
      auto next = co_await body.next().as_result();
      EXPECT_EQ(outcome_of(next), "StreamClosed in body");
    }
  }

  template <class Close>
  void expect_closed_for_all(Close close) {
    for (bool coded : {false, true}) {
      EndlessPeer peer(coded);
      AsyncClient client(shard());
      run([&]() -> Task<void> {
        co_await expect_closed<Chunk>(
            client, peer.url(), [](StreamingResponse& response) { return response.iter_raw(); }, close);
        co_await expect_closed<Chunk>(
            client, peer.url(), [](StreamingResponse& response) { return response.iter_bytes(); }, close);
        co_await expect_closed<Chunk>(
            client, peer.url(), [](StreamingResponse& response) { return response.iter_bytes(3); }, close);
        co_await expect_closed<std::string_view>(
            client, peer.url(), [](StreamingResponse& response) { return response.iter_text(); }, close);
        co_await expect_closed<std::string_view>(
            client, peer.url(), [](StreamingResponse& response) { return response.iter_lines(); }, close);
      });
      EXPECT_TRUE(peer.client_has_gone(5));
      expect_quiet(client);
    }
  }
};

TEST_F(ClosedIterationTest, TheIteratorOutlivesTheResponse) {
  auto destroy = [](std::unique_ptr<StreamingResponse>& response) -> Task<void> {
    response.reset();
    co_return;
  };
  expect_closed_for_all(destroy);
}

TEST_F(ClosedIterationTest, TheResponseIsClosed) {
  auto close = [](std::unique_ptr<StreamingResponse>& response) -> Task<void> { co_await response->close(); };
  expect_closed_for_all(close);
}

/// Whether the body had arrived when its response went must make no difference.
TEST_F(ClosedIterationTest, TheIteratorOutlivesAResponseThatWasComplete) {
  Peer peer(Peer::answering(ok_response("one\ntwo\nthree\n")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    std::optional<StreamingResponse> response = co_await client.stream(Method::Get, peer.url());
    auto lines = response->iter_lines();
    EXPECT_EQ(co_await lines.next(), "one");
    response.reset();
    EXPECT_EQ(outcome_of(co_await lines.next().as_result()), "StreamClosed in body");
  });
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

TEST_F(ClosedIterationTest, AnIteratorThatHasEndedStaysAtTheEnd) {
  Peer peer(Peer::answering(ok_response("body")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    std::optional<StreamingResponse> response = co_await client.stream(Method::Get, peer.url());
    auto body = response->iter_bytes();
    EXPECT_EQ((co_await take_all(body)).ending, "end");
    response.reset();
    EXPECT_EQ((co_await take_all(body)).ending, "end");
  });
}

/// One task waits for bytes, another closes the response.
class ClosedWhileWaitingTest : public ChunksTest {
 protected:
  /// `wait` begins to wait for what does not come; when the response is closed it must be told.
  template <class Wait>
  void expect_woken(const ClientOptions& options, Wait wait) {
    Peer peer([](PeerConnection& connection) {
      connection.read_request();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
      connection.read(1);  // until the client goes
    });
    AsyncClient client(shard(), options);
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      auto body = response.iter_bytes();
      Background<std::string> waiting(wait(response, body));
      co_await yield();
      EXPECT_FALSE(waiting.done());
      co_await response.close();
      EXPECT_TRUE(response.is_closed());
      const bool woken = co_await waiting.wait();
      EXPECT_TRUE(woken);
      EXPECT_EQ(waiting.take(), "StreamClosed in body");
      EXPECT_EQ(client.pool_stats().connections, 0U) << "the connection is kept for nothing";
      EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 1; }));
    });
    expect_quiet(client);
  }

  static Task<std::string> wait_in_next(StreamingResponse&, BodyIterator<Chunk>& body) {
    co_return outcome_of(co_await body.next().as_result());
  }
  static Task<std::string> wait_in_read(StreamingResponse& response, BodyIterator<Chunk>&) {
    co_return outcome_of(co_await response.read().as_result());
  }
  static Task<std::string> wait_in_discard(StreamingResponse& response, BodyIterator<Chunk>&) {
    co_return outcome_of(co_await response.discard().as_result());
  }
};

TEST_F(ClosedWhileWaitingTest, InNext) {
  expect_woken(ClientOptions(), wait_in_next);
}
TEST_F(ClosedWhileWaitingTest, InRead) {
  expect_woken(ClientOptions(), wait_in_read);
}
TEST_F(ClosedWhileWaitingTest, InDiscard) {
  expect_woken(ClientOptions(), wait_in_discard);
}
TEST_F(ClosedWhileWaitingTest, ThatWouldDrain) {
  const ClientOptions draining = ClientOptions().drain({.max_bytes = 1'000'000, .max_time = 20ms});
  expect_woken(draining, wait_in_next);
  expect_woken(draining, wait_in_read);
  expect_woken(draining, wait_in_discard);
}

TEST_F(ClosedWhileWaitingTest, ByItsDestruction) {
  EndlessPeer peer;
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    std::optional<StreamingResponse> response = co_await client.stream(Method::Get, peer.url());
    auto body = response->iter_raw();
    (void)co_await body.next();
    Background<std::string> waiting(wait_in_next(*response, body));
    co_await yield();
    response.reset();
    const bool woken = co_await waiting.wait();
    EXPECT_TRUE(woken);
    EXPECT_EQ(waiting.take(), "StreamClosed in body");
    EXPECT_EQ(client.pool_stats().connections, 0U) << "the connection is kept for nothing";
  });
  expect_quiet(client);
}

// ---- cancelled

/// For every number of body bytes: the peer sends so many, the task that iterates waits for more and is
/// cancelled there, the peer sends the rest and another task iterates on.
class CancelledIterationTest : public ChunksTest {
 protected:
  template <class Piece>
  static Task<void> take_into(std::vector<std::string>& pieces, BodyIterator<Piece>& body) {
    while (auto piece = co_await body.next()) pieces.emplace_back(view_of(*piece));
  }

  template <class Iterate>
  void expect_nothing_lost(const std::string& fields, const std::string& body,
                           const std::vector<std::string>& expected, bool compare_pieces, Iterate iterate) {
    for (std::size_t before = 0; before < body.size(); ++before) {
      SCOPED_TRACE(before);
      Gate cancelled;
      Peer peer([&](PeerConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                        fields + "\r\n" + body.substr(0, before));
        cancelled.wait();
        connection.send(body.substr(before));
        connection.read(1);
      });
      AsyncClient client(shard(), ClientOptions().timeout(kPatience));
      run([&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, peer.url());
        auto iterator = iterate(response);
        std::vector<std::string> pieces;
        {
          Background<void> first(take_into(pieces, iterator));
          while (response.num_bytes_downloaded() < before) co_await sleep_for(50us);
          co_await yield();
          EXPECT_FALSE(first.done());
        }
        cancelled.open();
        co_await take_into(pieces, iterator);
        if (compare_pieces) {
          EXPECT_EQ(pieces, expected);
        }
        std::string joined, expected_text;
        for (const std::string& piece : pieces) joined += piece;
        for (const std::string& piece : expected) expected_text += piece;
        EXPECT_EQ(joined, expected_text);
      });
      expect_quiet(client);
    }
  }
};

TEST_F(CancelledIterationTest, LosesNothing) {
  const std::string text = "one\r\ntwo \xE2\x82\xAC\nthree";
  const std::vector<std::string> lines = {"one", "two \xE2\x82\xAC", "three"};
  std::vector<std::string> blocks;
  for (std::size_t at = 0; at < text.size(); at += 4) blocks.push_back(text.substr(at, 4));
  auto raw = [](StreamingResponse& response) { return response.iter_raw(); };
  auto bytes = [](StreamingResponse& response) { return response.iter_bytes(); };
  auto fours = [](StreamingResponse& response) { return response.iter_bytes(4); };
  auto decoded_text = [](StreamingResponse& response) { return response.iter_text(); };
  auto decoded_lines = [](StreamingResponse& response) { return response.iter_lines(); };
  expect_nothing_lost("", text, {text}, false, raw);
  expect_nothing_lost("", text, blocks, true, fours);
  expect_nothing_lost("", text, {text}, false, decoded_text);
  expect_nothing_lost("", text, lines, true, decoded_lines);
  expect_nothing_lost(kGzipField, gzip(text), {text}, false, bytes);
  expect_nothing_lost(kGzipField, gzip(text), blocks, true, fours);
  expect_nothing_lost(kGzipField, gzip(text), {text}, false, decoded_text);
  expect_nothing_lost(kGzipField, gzip(text), lines, true, decoded_lines);
}

}  // namespace
}  // namespace sluice
