// SPDX-License-Identifier: MIT
// What may be done with a streamed response, and when: HTTPX's recorded table, and where we depart from it.
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sluice/combinators.hpp>

#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;
using nlohmann::json;

/// "!StreamConsumed" for an error, as the table has it.
json error_name(const Error& error) {
  return "!" + std::string(to_string(error.kind()));
}

/// What a call gave or threw. Where HTTPX raises RuntimeError, ours is ResponseNotRead.
template <class Call>
json outcome_of_call(Call call) {
  try {
    return call();
  } catch (const Error& error) {
    return error_name(error);
  }
}

template <class Piece>
Task<json> outcome_of_iteration(BodyIterator<Piece> body) {
  json pieces = json::array();
  for (;;) {
    auto next = co_await body.next().as_result();
    if (!next) co_return error_name(next.error());
    if (!*next) co_return pieces;
    pieces.push_back(std::string(view_of(**next)));
  }
}

/// The same by the form that throws.
template <class Piece>
Task<json> thrown_outcome_of_iteration(BodyIterator<Piece> body) {
  json pieces = json::array();
  std::optional<Error> thrown;
  try {
    while (auto next = co_await body.next()) pieces.push_back(std::string(view_of(*next)));
  } catch (const StreamError& error) {
    thrown.emplace(error);
  }
  co_return thrown ? error_name(*thrown) : pieces;
}

Task<json> outcome_of_read(StreamingResponse& response) {
  auto content = co_await response.read().as_result();
  if (!content) co_return error_name(content.error());
  co_return std::string(*content);
}

Task<json> thrown_outcome_of_read(StreamingResponse& response) {
  std::optional<Error> thrown;
  std::string content;
  try {
    content = co_await response.read();
  } catch (const StreamError& error) {
    thrown.emplace(error);
  }
  co_return thrown ? error_name(*thrown) : json(content);
}

class ResponseStateTest : public ShardTest {
 protected:
  /// Puts a fresh response into a state of the table.
  static Task<void> bring_into(StreamingResponse& response, std::string state) {
    if (state == "aread") (void)co_await response.read();
    if (state == "fully_iterated") (void)co_await take_all(response.iter_bytes());
    if (state == "partial_iter" || state == "aclosed_partial") {
      auto body = response.iter_bytes();
      EXPECT_EQ((co_await body.next())->view(), "hel");
    }
    if (state.starts_with("aclosed")) co_await response.close();
  }

  static Task<json> act(StreamingResponse& response, std::string action) {
    if (action == "aread") co_return co_await outcome_of_read(response);
    if (action == "aread, thrown") co_return co_await thrown_outcome_of_read(response);
    if (action == "aiter_bytes") co_return co_await outcome_of_iteration(response.iter_bytes());
    if (action == "aiter_text") co_return co_await outcome_of_iteration(response.iter_text());
    if (action == "aiter_lines") co_return co_await outcome_of_iteration(response.iter_lines());
    if (action == "aiter_raw") co_return co_await outcome_of_iteration(response.iter_raw());
    if (action == "aiter_bytes, thrown")
      co_return co_await thrown_outcome_of_iteration(response.iter_bytes());
    if (action == "aiter_text, thrown") co_return co_await thrown_outcome_of_iteration(response.iter_text());
    if (action == "aiter_lines, thrown")
      co_return co_await thrown_outcome_of_iteration(response.iter_lines());
    if (action == "aiter_raw, thrown") co_return co_await thrown_outcome_of_iteration(response.iter_raw());
    if (action == "aclose") {
      co_await response.close();
      co_return json();
    }
    ADD_FAILURE() << "no such action: " << action;
    co_return json();
  }

  static json attribute(const StreamingResponse& response, const std::string& name) {
    return outcome_of_call([&]() -> json {
      if (name == "content") return std::string(response.content());
      if (name == "text") return response.text();
      if (name == "elapsed") return response.elapsed().count() > 0 ? json("<set>") : json("not positive");
      if (name == "num_bytes_downloaded") return response.num_bytes_downloaded();
      if (name == "is_closed") return response.is_closed();
      if (name == "is_stream_consumed") return response.is_stream_consumed();
      if (name == "encoding") return response.encoding();
      return "no such attribute";
    });
  }
};

/// Sends a chunk each time it is told to, so that what has arrived is known: "hel", "lo\nwor", "ld" and the
/// end. Answers one request a connection.
class ThreeChunks {
 public:
  ThreeChunks()
      : peer_([this](PeerConnection& connection) {
          connection.read_request();
          connection.send(chunked_head());
          for (std::string_view piece : {"hel"sv, "lo\nwor"sv, "ld"sv}) {
            if (!tokens_.take()) return;
            connection.send(chunk_of(piece));
          }
          if (!tokens_.take()) return;
          connection.send("0\r\n\r\n");
          connection.read(1);
        }) {}
  ~ThreeChunks() { tokens_.close(); }

  std::string url() const { return peer_.url(); }
  int ended_connections() const { return peer_.ended_connections(); }
  void send(int pieces) {
    for (int i = 0; i < pieces; ++i) tokens_.add();
  }

 private:
  Tokens tokens_;
  Peer peer_;
};

TEST_F(ResponseStateTest, AsRecorded) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/response_state.json");
  for (const json& row : json::parse(file)) {
    const std::string state = row["state"];
    // HTTPX counts what was taken; we count what came. So exactly that much is let through before.
    const int pieces_before = state == "fresh" || state == "aclosed_unread"           ? 0
                              : state == "partial_iter" || state == "aclosed_partial" ? 1
                                                                                      : 4;
    std::vector<std::string> actions;
    std::vector<std::string> attributes;
    for (const auto& [name, value] : row.items()) {
      if (name == "state" || name.ends_with("stream_closes")) continue;
      if (!name.starts_with("a")) {
        attributes.push_back(name);
        continue;
      }
      actions.push_back(name);
      if (name != "aclose") actions.push_back(name + ", thrown");
    }
    for (const std::string& action : actions) {
      SCOPED_TRACE(state + ", " + action);
      ThreeChunks peer;
      AsyncClient client(shard());
      run([&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, peer.url());
        peer.send(pieces_before);
        co_await bring_into(response, state);
        for (const std::string& name : attributes) {
          json expected = row[name];
          if (expected == "!RuntimeError") expected = "!ResponseNotRead";
          EXPECT_EQ(attribute(response, name), expected) << name;
        }
        peer.send(4 - pieces_before);
        const std::string name = action.substr(0, action.find(','));
        EXPECT_EQ(co_await act(response, action), row[name]);
        // "Closed once" is: the connection has gone or is free, exactly when HTTPX closed its stream.
        const bool gone = client.pool_stats().connections == client.pool_stats().idle;
        EXPECT_EQ(gone, row[name + ".stream_closes"] == 1);
        EXPECT_EQ(response.is_closed(), gone);
      });
      expect_quiet(client);
    }
  }
}

// ---- our deviations

TEST_F(ResponseStateTest, LeavingTheScopeCloses) {
  for (int pieces = 0; pieces < 3; ++pieces) {
    ThreeChunks peer;
    AsyncClient client(shard());
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url());
      peer.send(pieces);
      auto body = response.iter_raw();
      for (int i = 0; i < pieces; ++i) EXPECT_TRUE((co_await body.next()).has_value());
    });
    EXPECT_EQ(client.pool_stats().connections, 0U);
    peer.send(4 - pieces);
    EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 1; }));
    expect_quiet(client);
  }
}

TEST_F(ResponseStateTest, ABodyThatIsCompleteEndsWithItsLastPiece) {
  Peer peer(Peer::answering(ok_response("all at once")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto body = response.iter_raw();
    EXPECT_EQ((co_await body.next())->view(), "all at once");
    EXPECT_TRUE(response.is_closed());
    EXPECT_EQ(client.pool_stats().idle, 1U);
    EXPECT_FALSE((co_await body.next()).has_value());
    EXPECT_FALSE((co_await body.next()).has_value());
  });
}

/// Closing says that nobody wants the body. To give an empty one afterwards would be a lie.
class ClosedUnreadTest : public ResponseStateTest {
 protected:
  void expect_closed_for_all(AsyncClient& client, const std::string& url) {
    for (const char* action : {"aread", "aiter_bytes", "aiter_text", "aiter_lines", "aiter_raw"}) {
      SCOPED_TRACE(action);
      run([&]() -> Task<void> {
        StreamingResponse response = co_await client.stream(Method::Get, url);
        co_await response.close();
        EXPECT_TRUE(response.is_closed());
        EXPECT_FALSE(response.is_stream_consumed());
        EXPECT_EQ(co_await act(response, action), "!StreamClosed");
        EXPECT_EQ(attribute(response, "content"), "!ResponseNotRead");
        EXPECT_FALSE(response.is_stream_consumed());
      });
    }
    expect_quiet(client);
  }
};

TEST_F(ClosedUnreadTest, AfterADrainToo) {
  Peer peer(Peer::answering(ok_response("a body")));
  AsyncClient client(shard(), ClientOptions().drain({.max_bytes = 1000, .max_time = kPatience}));
  expect_closed_for_all(client, peer.url());
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

TEST_F(ClosedUnreadTest, WithAnEmptyBodyToo) {
  Peer peer(Peer::answering(ok_response("")));
  AsyncClient client(shard());
  expect_closed_for_all(client, peer.url());
}

TEST_F(ResponseStateTest, ReadThenClosedIsStillThere) {
  Peer peer(Peer::answering(ok_response("kept")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    EXPECT_EQ(co_await response.read(), "kept");
    co_await response.close();
    EXPECT_EQ(co_await response.read(), "kept");
    EXPECT_EQ(response.content(), "kept");
    EXPECT_EQ(response.text(), "kept");
    const json one_piece = json::array({"kept"});
    json outcome = co_await act(response, "aiter_bytes");
    EXPECT_EQ(outcome, one_piece);
    outcome = co_await act(response, "aiter_text");
    EXPECT_EQ(outcome, one_piece);
    EXPECT_EQ(co_await act(response, "aiter_raw"), "!StreamConsumed");
    auto blocks = response.iter_bytes(3);
    Taken taken = co_await take_all(blocks);
    EXPECT_EQ(taken.pieces, (std::vector<std::string>{"kep", "t"}));
  });
}

TEST_F(ResponseStateTest, AnEmptyBodyThatWasReadHasNoPieces) {
  Peer peer(Peer::answering(ok_response("")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    EXPECT_EQ(co_await response.read(), "");
    EXPECT_EQ(co_await act(response, "aiter_bytes"), json::array());
    EXPECT_EQ(co_await act(response, "aiter_lines"), json::array());
  });
}

TEST_F(ResponseStateTest, AnIteratorThatIsNotUsedClaimsNothing) {
  Peer peer(Peer::answering(ok_response("body")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto unused = response.iter_raw();
    auto lines = response.iter_lines();
    EXPECT_FALSE(response.is_stream_consumed());
    EXPECT_EQ(co_await lines.next(), "body");
    EXPECT_TRUE(response.is_stream_consumed());
    EXPECT_EQ((co_await take_all(unused)).ending, "StreamConsumed in body");
    EXPECT_EQ((co_await take_all(lines)).ending, "end");
  });
}

TEST_F(ResponseStateTest, AFailedBodyStaysFailed) {
  Peer peer(Peer::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    EXPECT_EQ(outcome_of(co_await response.read().as_result()), "RemoteProtocolError in body");
    EXPECT_TRUE(response.is_closed());
    EXPECT_GT(response.elapsed().count(), 0);
    EXPECT_EQ(outcome_of(co_await response.read().as_result()), "StreamConsumed in body");
    EXPECT_EQ(attribute(response, "content"), "!ResponseNotRead");
    EXPECT_EQ(co_await act(response, "aiter_bytes"), "!StreamConsumed");
  });
  expect_quiet(client);
}

TEST_F(ResponseStateTest, MovedWhileItIsRead) {
  ThreeChunks peer;
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse first = co_await client.stream(Method::Get, peer.url());
    auto body = first.iter_raw();
    peer.send(1);
    EXPECT_EQ((co_await body.next())->view(), "hel");
    StreamingResponse second = std::move(first);
    peer.send(1);
    EXPECT_EQ((co_await body.next())->view(), "lo\nwor");
    std::vector<StreamingResponse> kept;
    kept.push_back(std::move(second));
    auto moved_body = std::move(body);
    peer.send(2);
    EXPECT_EQ((co_await moved_body.next())->view(), "ld");
    EXPECT_FALSE((co_await moved_body.next()).has_value());
    EXPECT_EQ(kept.front().num_bytes_downloaded(), 11U);
    EXPECT_TRUE(kept.front().is_closed());
  });
}

TEST_F(ResponseStateTest, AssigningClosesWhatWasThere) {
  Peer endless([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.send(std::string(10'000, 'x'))) {
    }
  });
  Peer peer(Peer::answering(ok_response("second")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, endless.url());
    auto old_body = response.iter_raw();
    EXPECT_TRUE((co_await old_body.next()).has_value());
    response = co_await client.stream(Method::Get, peer.url());
    EXPECT_TRUE(eventually([&] { return endless.ended_connections() == 1; }));
    EXPECT_EQ((co_await take_all(old_body)).ending, "StreamClosed in body");
    EXPECT_EQ(co_await response.read(), "second");
  });
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
