// SPDX-License-Identifier: MIT
// Bodies that nobody wants: StreamingResponse::discard() and close(), discard_body() of a buffered request.
#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/support/encoders.hpp"
#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;

constexpr std::size_t kLargeBytes =
    4'000'000;  // far above what the engine finds worth discarding in the kernel

class DiscardTest : public ShardTest {
 protected:
  /// Streams a response and discards it at once; what discard() said.
  Task<std::string> discard_one(AsyncClient& client, std::string url) {
    StreamingResponse response = co_await client.stream(Method::Get, url);
    co_return outcome_of(co_await response.discard().as_result());
  }
};

TEST_F(DiscardTest, EveryFramingLeavesTheConnectionFree) {
  const std::string body = patterned_bytes(kLargeBytes);
  std::vector<std::string_view> large_chunks, small_chunks;
  for (std::size_t at = 0; at < body.size(); at += 700'000)
    large_chunks.push_back(std::string_view(body).substr(at, 700'000));
  for (std::size_t at = 0; at < 300'000; at += 999)
    small_chunks.push_back(std::string_view(body).substr(at, 999));
  const std::vector<std::string> responses = {ok_response(body),
                                              chunked_response(large_chunks),
                                              chunked_response(small_chunks),
                                              ok_response("tiny"),
                                              ok_response(""),
                                              ok_response("no gzip", "Content-Encoding: gzip\r\n")};
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < responses.size(); ++i) {
      EXPECT_EQ(run(discard_one(client, peer.url("/" + std::to_string(i)))), "ok") << i;
      EXPECT_EQ(client.pool_stats().idle, 1U) << i;
    }
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

TEST_F(DiscardTest, UntilCloseAndWhatIsSaidAfterwards) {
  Peer peer(Peer::answering_once("HTTP/1.1 200 OK\r\n\r\n" + patterned_bytes(kLargeBytes)));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    co_await response.discard();
    EXPECT_EQ(response.num_bytes_downloaded(), kLargeBytes);
    EXPECT_GT(response.num_bytes_received(), kLargeBytes);
    EXPECT_TRUE(response.is_closed());
    EXPECT_TRUE(response.is_stream_consumed());
    EXPECT_GT(response.elapsed().count(), 0);
    co_await response.discard();  // there is nothing more to throw away
    EXPECT_EQ(outcome_of(co_await response.read().as_result()), "StreamConsumed in body");
    EXPECT_THROW((void)response.content(), ResponseNotRead);
  });
  EXPECT_EQ(client.pool_stats().connections, 0U);
  expect_quiet(client);
}

TEST_F(DiscardTest, TrailersAreStillRead) {
  const std::string body = patterned_bytes(500'000);
  Peer peer(Peer::answering(chunked_head() + chunk_of(body) + "0\r\nT: u\r\n\r\n"));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    co_await response.discard();
    EXPECT_EQ(response.trailers().first("t"), "u");
  });
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

/// With two buffers of 1 KiB, a body that passes through them makes the receiver starve thousands of times.
class FewBuffersTest : public DiscardTest {
 protected:
  FewBuffersTest() { set_up_shard({.buffers = {.count = 2, .size_bytes = 1024}}); }

  template <class Discard>
  void expect_nothing_through_buffers(Discard discard, const std::string& head, const std::string& rest) {
    Gate discarding;
    Peer peer([&](PeerConnection& connection) {
      connection.read_request();
      connection.send(head);
      discarding.wait();
      connection.send(rest);
      connection.read(1);
    });
    AsyncClient client(shard());
    auto release = [&]() -> Task<void> {
      co_await sleep_for(5ms);  // not to synchronise: more may pass when it is too short, but never all
      discarding.open();
    };
    auto both = [&]() -> Task<void> { co_await when_all(discard(client, peer.url()), release()); };
    const std::uint64_t before = shard().stats().buffer_starvations;
    run(both());
    EXPECT_LT(shard().stats().buffer_starvations - before, 100U);
    EXPECT_EQ(client.pool_stats().idle, 1U);
    expect_quiet(client);
  }
};

TEST_F(FewBuffersTest, NothingOfAKnownLengthPassesThroughBuffers) {
  const std::string body = patterned_bytes(kLargeBytes);
  const std::string head = ok_response(body).substr(0, ok_response(body).size() - body.size());
  auto streamed = [](AsyncClient& client, std::string url) -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, url);
    co_await response.discard();
    EXPECT_EQ(response.num_bytes_downloaded(), kLargeBytes);
  };
  auto buffered = [](AsyncClient& client, std::string url) -> Task<void> {
    Response response = co_await client.get(url).discard_body();
    EXPECT_EQ(response.num_bytes_downloaded(), kLargeBytes);
    EXPECT_EQ(response.content(), "");
  };
  expect_nothing_through_buffers(streamed, head, body);
  expect_nothing_through_buffers(buffered, head, body);
}

TEST_F(FewBuffersTest, NothingOfALargeChunkPassesThroughBuffers) {
  const std::string chunk = chunk_of(patterned_bytes(kLargeBytes));
  const std::size_t size_line = chunk.find('\n') + 1;
  auto streamed = [](AsyncClient& client, std::string url) -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, url);
    co_await response.discard();
    EXPECT_EQ(response.num_bytes_downloaded(), kLargeBytes);
  };
  expect_nothing_through_buffers(streamed, chunked_head() + chunk.substr(0, size_line),
                                 chunk.substr(size_line) + "0\r\n\r\n");
}

// ---- what follows a body that was thrown away

/// Bytes behind the body belong to no request: they must close the connection. Whoever lets the kernel throw
/// them away with the body waits for more body, or takes the connection for a clean one.
TEST_F(DiscardTest, BytesBehindTheBodyAreNotEaten) {
  const std::string junk = ok_response("nobody asked for this");
  for (std::size_t size : {130'000U, 200'000U, 300'000U, 600'000U, 1'500'000U}) {
    const std::string bytes = ok_response(patterned_bytes(size)) + junk + patterned_bytes(300'000);
    Peer peer([&](PeerConnection& connection) {
      connection.read_request();
      connection.send(bytes);
      connection.read(1);
    });
    AsyncClient client(shard(), ClientOptions().timeout(3s));
    for (int i = 0; i < 20; ++i) {
      run([&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, peer.url());
        if (i % 2 == 1) co_await sleep_for(1ms);
        EXPECT_EQ(outcome_of(co_await response.discard().as_result()), "ok") << size;
        EXPECT_EQ(response.num_bytes_downloaded(), size);
      });
      EXPECT_EQ(client.pool_stats().idle, 0U) << size;
      auto response = run(client.get(peer.url()).discard_body().as_result());
      EXPECT_EQ(outcome_of(response), "ok") << size;
      if (response) {
        EXPECT_EQ(response->num_bytes_downloaded(), size);
      }
      EXPECT_EQ(client.pool_stats().idle, 0U) << size;
    }
    expect_quiet(client);
  }
}

/// The same around the moment at which discarding begins, when bytes may still arrive by the receive before
/// it.
TEST_F(DiscardTest, BytesThatArriveWhileDiscardingBegins) {
  constexpr std::size_t kSize = 400'000;
  const std::string body = patterned_bytes(kSize);
  const std::string bytes = body + ok_response("nobody asked for this") + body;
  Tokens tokens;
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    if (!tokens.take()) return;
    connection.send(bytes);
    connection.read(1);
  });
  AsyncClient client(shard(), ClientOptions().timeout(3s));
  for (int i = 0; i < 100; ++i) {
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      tokens.add();
      if (i % 4 != 0) co_await sleep_for(i * 2us);
      EXPECT_EQ(outcome_of(co_await response.discard().as_result()), "ok") << i;
      EXPECT_EQ(response.num_bytes_downloaded(), kSize);
    });
    EXPECT_EQ(client.pool_stats().idle, 0U) << i;
  }
  tokens.close();
  expect_quiet(client);
}

/// A receive that is under way when discarding begins may bring a part of the body; what the kernel is then
/// told to throw away must be so much less.
class ReceiveUnderWayTest : public DiscardTest {
 protected:
  void discard_with_bytes_behind(const std::string& behind, std::uint32_t idle_afterwards);
};

void ReceiveUnderWayTest::discard_with_bytes_behind(const std::string& behind,
                                                    std::uint32_t idle_afterwards) {
  const std::string body = patterned_bytes(200'000);
  Gate discarding;
  std::atomic<bool> sent{false};
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send(ok_response(patterned_bytes(kLargeBytes)));  // opens the window wide
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    discarding.wait();
    connection.send(body + behind);
    sent = true;
    connection.read(1);
  });
  Peer endless([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.send(std::string(10'000, 'x'))) {
    }
  });
  AsyncClient client(shard(), ClientOptions().receive_limits({.max_queued_bytes = 64 * 1024}).timeout(3s));
  EXPECT_EQ(run(client.get(peer.url()).discard_body().as_result()).value().num_bytes_downloaded(),
            kLargeBytes);
  run([&]() -> Task<void> {
    std::optional<StreamingResponse> hog = co_await client.stream(Method::Get, endless.url());
    co_await sleep_for(10ms);  // its bytes use up the budget, and others receive a little at a time
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    co_await sleep_for(5ms);
    hog.reset();
    co_await sleep_for(5ms);
    auto send_all = [&]() -> Task<void> {
      discarding.open();
      EXPECT_TRUE(eventually([&] { return sent.load(); }));  // while the loop does not turn
      co_return;
    };
    auto discard = [&]() -> Task<std::string> {
      co_return outcome_of(co_await response.discard().as_result());
    };
    auto outcomes = co_await when_all(discard(), send_all());
    EXPECT_EQ(std::get<0>(outcomes), "ok");
    EXPECT_EQ(response.num_bytes_downloaded(), body.size());
  });
  EXPECT_EQ(client.pool_stats().idle, idle_afterwards);
  expect_quiet(client);
}

TEST_F(ReceiveUnderWayTest, WhatItBringsIsNotWaitedForAgain) {
  discard_with_bytes_behind("", 1);
}

TEST_F(ReceiveUnderWayTest, BytesBehindTheBodyAreNotEaten) {
  discard_with_bytes_behind(ok_response("nobody asked for this") + patterned_bytes(200'000), 0);
}

// ---- what goes wrong

TEST_F(DiscardTest, ABodyCutShort) {
  const std::string part = patterned_bytes(500'000);
  const std::vector<std::string> responses = {
      "HTTP/1.1 200 OK\r\nContent-Length: 500001\r\n\r\n" + part,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a121\r\n" + part,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n" + part};
  for (const std::string& response : responses) {
    Peer peer(Peer::answering_once(response));
    AsyncClient client(shard());
    EXPECT_EQ(run(discard_one(client, peer.url())), "RemoteProtocolError in body");
    EXPECT_EQ(outcome_of(run(client.get(peer.url()).discard_body().as_result())),
              "RemoteProtocolError in body");
    EXPECT_EQ(client.pool_stats().connections, 0U);
    expect_quiet(client);
  }
}

TEST_F(DiscardTest, AServerThatStalls) {
  Peer peer([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + patterned_bytes(600'000));
    connection.ending.wait();
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url()).timeout(50ms);
    for (int i = 0; i < 2; ++i)  // the error stays
      EXPECT_EQ(outcome_of(co_await response.discard().as_result()), "ReadTimeout in body");
    EXPECT_TRUE(response.is_closed());
    EXPECT_THROW(co_await response.discard(), ReadTimeout);
  });
  EXPECT_EQ(outcome_of(run(client.get(peer.url()).discard_body().timeout(50ms).as_result())),
            "ReadTimeout in body");
  EXPECT_EQ(client.pool_stats().connections, 0U);
  expect_quiet(client);
}

TEST_F(DiscardTest, AServerThatResets) {
  Gate head_seen;
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    head_seen.wait();
    connection.send(patterned_bytes(200'000));
    connection.reset();
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    head_seen.open();
    EXPECT_EQ(outcome_of(co_await response.discard().as_result()), "ReadError in body");
  });
  expect_quiet(client);
}

// ---- cancelled

/// Time limits that run out while the kernel throws bytes away: none is counted twice or forgotten, and the
/// next response on the connection is whole.
TEST_F(DiscardTest, CancelledAndTakenUpAgain) {
  const std::string body = patterned_bytes(2'000'000);
  Tokens tokens;
  Peer peer([&](PeerConnection& connection) {
    for (int request = 0; connection.read_request(); ++request) {
      connection.send(ok_response(body).substr(0, ok_response(body).size() - body.size()));
      for (std::size_t at = 0; at < body.size(); at += 10'000) {
        const bool waits = request % 2 == 0 && at % 500'000 == 250'000;
        if (waits && !tokens.take()) return;
        connection.send(body.substr(at, 10'000));
      }
    }
  });
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  int cancelled = 0;
  for (int i = 0; i < 5; ++i) {
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      for (;;) {
        auto outcome = co_await with_timeout(50us, response.discard().as_result());
        if (outcome) break;
        EXPECT_EQ(outcome.error().kind(), ErrorKind::deadline_exceeded);
        if (outcome.error().kind() != ErrorKind::deadline_exceeded) co_return;
        ++cancelled;
        tokens.add();
      }
      EXPECT_EQ(response.num_bytes_downloaded(), body.size());
    });
    EXPECT_EQ(client.pool_stats().idle, 1U);
    EXPECT_EQ(get(client, peer.url()).value().content(), body);
  }
  EXPECT_GE(cancelled, 4);
  EXPECT_EQ(client.pool_stats().opened, 1U);
  tokens.close();
  expect_quiet(client);
}

/// An iteration goes on behind what a cancelled discard() threw away: the pieces are parts of the body, in
/// its order, up to its end.
TEST_F(DiscardTest, ReadingOnAfterACancelledDiscard) {
  const std::string body = patterned_bytes(3'000'000);
  Peer peer([&](PeerConnection& connection) {
    while (connection.read_request()) {
      connection.send(ok_response(body).substr(0, ok_response(body).size() - body.size()));
      for (std::size_t at = 0; at < body.size(); at += 10'000) connection.send(body.substr(at, 10'000));
    }
  });
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  for (int i = 0; i < 5; ++i) {
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      auto pieces = response.iter_raw();
      std::size_t position = 0;
      while (auto piece = co_await pieces.next()) {
        const std::size_t found = body.find(piece->view(), position);
        EXPECT_NE(found, std::string::npos) << "not a part of the body behind " << position;
        if (found == std::string::npos) co_return;
        position = found + piece->size();
        (void)co_await with_timeout(i * 20us, response.discard().as_result());
      }
      EXPECT_EQ(response.num_bytes_downloaded(), body.size());
    });
    EXPECT_EQ(client.pool_stats().idle, 1U);
    EXPECT_EQ(get(client, peer.url()).value().content(), body);
  }
  expect_quiet(client);
}

// ---- unix sockets, where the kernel does not know how to throw bytes away

TEST_F(DiscardTest, UnixSocket) {
  const std::string path = "@sluice-discard-" + std::to_string(getpid());
  const std::string body = patterned_bytes(kLargeBytes);
  Peer peer(Peer::answering(ok_response(body)), *net::Address::unix_socket(path));
  AsyncClient client(shard(), ClientOptions().unix_socket(path));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(discard_one(client, "http://anywhere/")), "ok");
    EXPECT_EQ(run(client.get("http://anywhere/").discard_body().as_result()).value().num_bytes_downloaded(),
              body.size());
    EXPECT_EQ(client.pool_stats().idle, 1U);
  }
  EXPECT_EQ(get(client, "http://anywhere/").value().content(), body);
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

// ---- discard_body()

TEST_F(DiscardTest, DiscardBodyOfABufferedRequest) {
  const std::string body = patterned_bytes(kLargeBytes);
  const std::vector<std::string> responses = {ok_response(body),
                                              chunked_response(std::vector{body.substr(0, 300'000)}),
                                              ok_response("no gzip", "Content-Encoding: gzip\r\n"),
                                              ok_response(""), "HTTP/1.1 204 No Content\r\n\r\n"};
  const std::vector<std::size_t> sizes = {kLargeBytes, 300'000, 7, 0, 0};
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard(), ClientOptions().receive_limits({.max_buffered_body_bytes = 5}));
  for (std::size_t i = 0; i < responses.size(); ++i) {
    auto response = run(client.get(peer.url("/" + std::to_string(i))).discard_body().as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "");
    EXPECT_EQ(response->text(), "");
    EXPECT_EQ(response->num_bytes_downloaded(), sizes[i]);
    EXPECT_EQ(response->num_bytes_decoded(), 0U);
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

// ---- close()

class DrainTest : public DiscardTest {
 protected:
  /// Streams, reads a piece, closes; gives how many connections are idle then.
  Task<std::uint32_t> close_after_a_piece(AsyncClient& client, std::string url) {
    StreamingResponse response = co_await client.stream(Method::Get, url);
    auto pieces = response.iter_raw();
    (void)co_await pieces.next();
    co_await response.close();
    EXPECT_TRUE(response.is_closed());
    co_await response.close();  // again: nothing happens
    co_return client.pool_stats().idle;
  }
};

TEST_F(DrainTest, WithoutADrainTheConnectionIsClosed) {
  Peer peer(Peer::answering(ok_response(patterned_bytes(3'000'000))));
  AsyncClient client(shard());
  EXPECT_EQ(run(close_after_a_piece(client, peer.url())), 0U);
  expect_quiet(client);
}

TEST_F(DrainTest, WhatIsSmallEnoughIsDrained) {
  Peer peer(Peer::answering(ok_response(patterned_bytes(3'000'000))));
  AsyncClient client(shard(), ClientOptions().drain({.max_bytes = 3'000'000, .max_time = kPatience}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(close_after_a_piece(client, peer.url())), 1U);
  EXPECT_EQ(client.pool_stats().opened, 1U);
  AsyncClient stingy(shard(), ClientOptions().drain({.max_bytes = 1'000'000, .max_time = kPatience}));
  EXPECT_EQ(run(close_after_a_piece(stingy, peer.url())), 0U);
  expect_quiet(client);
}

TEST_F(DrainTest, AnUnknownSizeIsNotDrained) {
  Gate closed;
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send(chunked_head() + chunk_of("some"));
    closed.wait();
    connection.send(chunk_of("more") + "0\r\n\r\n");
  });
  AsyncClient client(shard(), ClientOptions().drain({.max_bytes = kUnlimitedBytes, .max_time = kPatience}));
  EXPECT_EQ(run(close_after_a_piece(client, peer.url())), 0U);
  closed.open();
  expect_quiet(client);
}

TEST_F(DrainTest, WhatIsTooSlowIsClosed) {
  Peer peer([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + patterned_bytes(300'000));
    connection.read(1);  // until the client goes
  });
  AsyncClient client(shard(), ClientOptions().drain({.max_bytes = 1'000'000, .max_time = 20ms}));
  EXPECT_EQ(run(close_after_a_piece(client, peer.url())), 0U);
  EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 1; }));
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
