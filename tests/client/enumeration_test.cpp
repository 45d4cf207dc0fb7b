// SPDX-License-Identifier: MIT
// Every tabled response, and peers that go away after every byte: the client must say what happened, leave
// nothing behind and go on working.
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/response_table.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

/// The numbers in a request's path: "GET /3/14 HTTP/1.1" gives {3, 14}.
std::vector<std::size_t> numbers_of(const ReceivedRequest& request) {
  std::vector<std::size_t> numbers;
  for (std::size_t at = request.head.find('/'); request.head[at] == '/';) {
    char* end = nullptr;
    numbers.push_back(std::strtoul(request.head.c_str() + at + 1, &end, 10));
    at = static_cast<std::size_t>(end - request.head.c_str());
  }
  return numbers;
}

std::string path_of(std::initializer_list<std::size_t> numbers) {
  std::string path;
  for (std::size_t number : numbers) path += "/" + std::to_string(number);
  return path;
}

class EnumerationTest : public ShardTest {
 protected:
  /// After whatever happened: nothing is left over, and the same client gets an answer.
  void expect_client_works(AsyncClient& client) {
    expect_quiet(client);
    auto response = get(client, healthy_.url());
    EXPECT_TRUE(response) << response.error().what();
    // Connections of peers that have closed after a whole response are given up without being used again.
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections <= 1; }));
  }

  Peer healthy_{Peer::answering(ok_response("fine"))};
};

// ---- the table

class ResponseTableTest : public EnumerationTest {
 protected:
  Result<Response> fetch(AsyncClient& client, std::size_t row, std::size_t cut) {
    std::string url = peer_.url(path_of({row, cut}));
    return run((rows_[row].head_request ? client.head(url) : client.get(url)).as_result());
  }
  void expect_verdict(AsyncClient& client, std::size_t row, std::size_t cut) {
    auto response = fetch(client, row, cut);
    EXPECT_EQ(response.has_value(), rows_[row].accept) << (response ? "" : response.error().what());
    if (response && rows_[row].body_known) {
      bool coded = response->headers().contains("content-encoding");  // then the content is another
      if (!coded) {
        EXPECT_EQ(response->content(), rows_[row].body);
      }
      EXPECT_EQ(response->num_bytes_downloaded(), rows_[row].body.size());
    }
    if (!response) {
      EXPECT_EQ(response.error().kind(), ErrorKind::remote_protocol_error) << response.error().what();
      EXPECT_FALSE(response.error().safe_to_retry());
    }
  }

  // Each row on a connection of its own: the peer closes, and no request may meet the end of the one before.
  const ClientOptions options_ = ClientOptions().limits({.max_keepalive_connections = 0});
  std::vector<TabledResponse> rows_ = tabled_responses();
  Peer peer_{[this](PeerConnection& connection) {
    auto request = connection.read_request();
    if (!request) return;
    auto numbers = numbers_of(*request);
    const std::string& bytes = rows_[numbers[0]].bytes;
    connection.send_pieces({bytes.substr(0, numbers[1]), bytes.substr(numbers[1])});
  }};
};

TEST_F(ResponseTableTest, EveryRowWhole) {
  AsyncClient client(shard(), options_);
  ASSERT_GT(rows_.size(), 150U);
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    SCOPED_TRACE(rows_[row].id);
    expect_verdict(client, row, 0);
  }
  expect_client_works(client);
}

TEST_F(ResponseTableTest, SomeRowsCutAtEveryByte) {
  AsyncClient client(shard(), options_);
  std::size_t tried = 0;
  for (std::size_t row = 0; row < rows_.size(); row += 4) {
    if (rows_[row].bytes.size() > 250) continue;
    SCOPED_TRACE(rows_[row].id);
    ++tried;
    for (std::size_t cut = 1; cut < rows_[row].bytes.size(); ++cut) expect_verdict(client, row, cut);
  }
  EXPECT_GT(tried, 20U);
  expect_client_works(client);
}

// ---- a peer that goes after every byte of the response

struct Framed {
  const char* name;
  const char* bytes;
  bool ends_by_close;
};
const Framed kFramed[] = {
    {"counted", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: y\r\n\r\nnine byte", false},
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnine\r\n5;a=b\r\n byte\r\n0\r\nT: u\r\n\r\n",
     false},
    {"until close", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nnine byte", true},
    {"informational",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnine", false},
    {"no body", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", false},
};

enum class Parting : std::size_t { close, half_close, reset };

class PartingPeerTest : public EnumerationTest {
 protected:
  std::string expected_outcome(const Framed& framed, std::size_t count, Parting parting) {
    std::string bytes = framed.bytes;
    std::size_t head_size = bytes.rfind("\r\n\r\n") + 4;
    if (framed.name == "chunked"sv) head_size = bytes.find("\r\n\r\n") + 4;
    bool in_body = count >= head_size;
    if (count == bytes.size() && !framed.ends_by_close) return "ok";
    if (parting == Parting::reset) return in_body ? "ReadError in body" : "ReadError in head";
    if (in_body && framed.ends_by_close) return "ok";
    return in_body ? "RemoteProtocolError in body" : "RemoteProtocolError in head";
  }

  Peer peer_{[](PeerConnection& connection) {
    auto request = connection.read_request();
    if (!request) return;
    auto numbers = numbers_of(*request);
    connection.send(std::string(kFramed[numbers[0]].bytes).substr(0, numbers[1]));
    switch (static_cast<Parting>(numbers[2])) {
      case Parting::close:
        return;
      case Parting::half_close:
        connection.half_close();
        connection.read_to_end();
        return;
      case Parting::reset:
        connection.reset();
        return;
    }
  }};
};

TEST_F(PartingPeerTest, AfterEveryByteOfTheResponse) {
  AsyncClient client(shard());
  for (std::size_t framed = 0; framed < std::size(kFramed); ++framed) {
    std::string bytes = kFramed[framed].bytes;
    for (Parting parting : {Parting::close, Parting::half_close, Parting::reset}) {
      for (std::size_t count = 0; count <= bytes.size(); ++count) {
        SCOPED_TRACE(std::string(kFramed[framed].name) + ", parting " + std::to_string(int(parting)) +
                     " after " + std::to_string(count));
        auto response = get(client, peer_.url(path_of({framed, count, std::size_t(parting)})));
        EXPECT_EQ(outcome_of(response), expected_outcome(kFramed[framed], count, parting));
        if (!response) {
          const Error::Facts& facts = response.error().facts();
          EXPECT_EQ(facts.bytes_received, count);
          EXPECT_GT(facts.bytes_sent, 50U);
          EXPECT_EQ(facts.peer, peer_.authority());
          EXPECT_EQ(facts.request, "GET " + peer_.url(path_of({framed, count, std::size_t(parting)})));
          EXPECT_EQ(facts.system_code, parting == Parting::reset ? ECONNRESET : 0);
          EXPECT_FALSE(facts.safe_to_retry);
        }
        expect_client_works(client);
      }
    }
  }
}

TEST_F(PartingPeerTest, AfterEveryByteOfAStreamedResponse) {
  AsyncClient client(shard());
  for (std::size_t framed = 0; framed < std::size(kFramed); ++framed) {
    std::string bytes = kFramed[framed].bytes;
    for (std::size_t count = 0; count <= bytes.size(); ++count) {
      SCOPED_TRACE(std::string(kFramed[framed].name) + " closed after " + std::to_string(count));
      std::string url = peer_.url(path_of({framed, count, std::size_t(Parting::close)}));
      std::string outcome = run([&]() -> Task<std::string> {
        auto response = co_await client.stream(Method::Get, url).as_result();
        if (!response) co_return outcome_of(response);
        auto body = response->iter_raw();
        for (;;) {
          auto chunk = co_await body.next().as_result();
          if (!chunk || !chunk->has_value()) co_return outcome_of(chunk);
        }
      });
      EXPECT_EQ(outcome, expected_outcome(kFramed[framed], count, Parting::close));
      expect_client_works(client);
    }
  }
}

TEST_F(PartingPeerTest, AfterEveryByteOnAConnectionThatWasUsedBefore) {
  // The first request on each connection is answered in full; what happens to the second must not touch its
  // facts.
  const std::string first = ok_response("first");
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send(first);
    auto request = connection.read_request();
    if (request) connection.send(std::string(kFramed[0].bytes).substr(0, numbers_of(*request)[0]));
  });
  AsyncClient client(shard());
  for (std::size_t count = 0; count < std::string(kFramed[0].bytes).size(); ++count) {
    ASSERT_TRUE(get(client, peer.url("/warm")));
    auto response = get(client, peer.url(path_of({count})));
    EXPECT_EQ(outcome_of(response), expected_outcome(kFramed[0], count, Parting::close));
    if (!response) {
      EXPECT_EQ(response.error().facts().bytes_received, count);
    }
    expect_quiet(client);
  }
}

// ---- a peer that goes after every byte of the request

TEST_F(PartingPeerTest, AfterEveryByteOfTheRequest) {
  std::atomic<std::size_t> wanted{0};
  Peer peer([&](PeerConnection& connection) { connection.read(wanted); });
  AsyncClient client(shard());
  for (std::size_t count = 0;; ++count) {
    wanted = count;
    auto response = run(client.post(peer.url()).content("a small body").as_result());
    ASSERT_FALSE(response);
    EXPECT_TRUE(response.error().is_transport_error()) << response.error().what();
    EXPECT_TRUE(response.error().phase() == Phase::head || response.error().phase() == Phase::write);
    EXPECT_FALSE(response.error().safe_to_retry() && response.error().facts().bytes_sent != 0);
    expect_client_works(client);
    // Nothing was left unread: the peer's FIN came through and says so.
    if (count == response.error().facts().bytes_sent) {
      EXPECT_EQ(outcome_of(response), "RemoteProtocolError in head");
      break;
    }
    ASSERT_LT(count, 1000U);
  }
}

TEST_F(PartingPeerTest, DuringALargeUpload) {
  std::atomic<std::size_t> wanted{0};
  std::atomic<bool> reset{false};
  Peer peer([&](PeerConnection& connection) {
    connection.read(wanted);
    if (reset) connection.reset();
  });
  AsyncClient client(shard());
  const std::string body = patterned_bytes(3'000'000);
  for (bool by_reset : {false, true}) {
    for (std::size_t count : {0U, 1U, 100U, 200U, 10'000U, 500'000U, 2'000'000U}) {
      wanted = count;
      reset = by_reset;
      auto response = run(client.post(peer.url()).content(body).as_result());
      ASSERT_FALSE(response);
      EXPECT_TRUE(response.error().is_network_error() || response.error().is_protocol_error())
          << response.error().what();
      EXPECT_FALSE(response.error().safe_to_retry() && response.error().facts().bytes_sent != 0);
      expect_client_works(client);
    }
  }
}

}  // namespace
}  // namespace sluice
