// SPDX-License-Identifier: MIT
// Bodies as bytes, blocks, text and lines, from the peer's bytes to the caller's pieces.
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/wire/content_decoder.hpp"
#include "tests/support/encoders.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/lines.hpp"
#include "tests/support/pieces.hpp"
#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;
using nlohmann::json;

json recorded(const std::string& name) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/" + name);
  return json::parse(file);
}

std::vector<std::string> strings(const json& array) {
  return array.get<std::vector<std::string>>();
}

std::string content_encoding(std::string_view codings) {
  return "Content-Encoding: " + std::string(codings) + "\r\n";
}

class IterationTest : public ShardTest {
 protected:
  /// What iterating over the response for "/<number>" gives.
  template <class Iterate>
  Taken take(AsyncClient& client, const Peer& peer, std::size_t number, Iterate iterate) {
    return run([&]() -> Task<Taken> {
      StreamingResponse response =
          co_await client.stream(Method::Get, peer.url("/" + std::to_string(number)));
      co_return co_await take_all(iterate(response));
    });
  }
  static auto blocks_of(std::size_t bytes) {
    return [bytes](StreamingResponse& response) { return response.iter_bytes(bytes); };
  }
  static auto lines(LineMode mode = LineMode::universal) {
    return [mode](StreamingResponse& response) { return response.iter_lines(mode); };
  }
  static constexpr auto as_bytes = [](StreamingResponse& response) { return response.iter_bytes(); };
  static constexpr auto as_raw = [](StreamingResponse& response) { return response.iter_raw(); };
  static constexpr auto as_text = [](StreamingResponse& response) { return response.iter_text(); };
};

// ---- blocks of one size

TEST_F(IterationTest, BlocksAsRecorded) {
  const std::string content = "Hello, world!";
  Peer peer(answering_by_number({chunked_response(std::vector{"Hello, "sv, "world!"sv}),
                                 chunked_response(std::vector{gzip(content)}, content_encoding("gzip"))}));
  AsyncClient client(shard());
  for (const json& row : recorded("byte_chunker.json")) {
    SCOPED_TRACE(row.dump());
    for (std::size_t coded : {0U, 1U}) {
      if (row["chunk_size"].is_null()) {
        const std::vector<std::string> whole = {content};
        EXPECT_EQ(take(client, peer, coded, as_bytes).pieces, coded == 0 ? strings(row["parts"]) : whole);
      } else if (row.contains("error")) {
        EXPECT_THROW(take(client, peer, coded, blocks_of(row["chunk_size"])), std::invalid_argument);
      } else {
        const Taken taken = take(client, peer, coded, blocks_of(row["chunk_size"]));
        EXPECT_EQ(taken.pieces, strings(row["parts"]));
        EXPECT_EQ(taken.ending, "end");
      }
    }
  }
}

TEST_F(IterationTest, BlockSizesThatCannotBe) {
  Peer peer(Peer::answering(ok_response("body")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    EXPECT_THROW((void)response.iter_bytes(0), std::invalid_argument);
    EXPECT_THROW((void)response.iter_bytes(kLargestChunkSize + 1), std::invalid_argument);
    EXPECT_FALSE(response.is_stream_consumed());
    EXPECT_EQ((co_await take_all(response.iter_bytes(1'000'000'000))).joined(), "body");
  });
}

TEST_F(IterationTest, ExactBlocksHoweverTheBodyIsCut) {
  const std::string body = patterned_bytes(67);
  std::vector<std::string> responses;
  for (const Pieces& pieces : every_cut(body)) responses.push_back(chunked_response(pieces));
  const std::string coded = gzip(body);
  for (const Pieces& pieces : every_cut(coded))
    responses.push_back(chunked_response(pieces, content_encoding("gzip")));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t size = 1; size <= 70; ++size) {
    std::vector<std::string> blocks;
    for (std::size_t at = 0; at < body.size(); at += size) blocks.push_back(body.substr(at, size));
    // Every cut with a size is too much; each cut meets many sizes and each size many cuts.
    for (std::size_t i = size % 3; i < responses.size(); i += 3) {
      const Taken taken = take(client, peer, i, blocks_of(size));
      ASSERT_EQ(taken.pieces, blocks) << "size " << size << ", response " << i;
      ASSERT_EQ(taken.ending, "end");
    }
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

TEST_F(IterationTest, LargeBlocks) {
  const std::string body = patterned_bytes(1'000'003);
  Peer peer(answering_by_number({ok_response(body), ok_response(gzip(body), content_encoding("gzip"))}));
  AsyncClient client(shard());
  for (std::size_t response : {0U, 1U}) {
    for (std::size_t size : {4'096U, 65'536U, 131'072U, 131'073U, 400'000U, 1'000'003U, 5'000'000U}) {
      const Taken taken = take(client, peer, response, blocks_of(size));
      EXPECT_TRUE(taken.joined() == body) << size;
      ASSERT_EQ(taken.pieces.size(), (body.size() + size - 1) / size);
      for (std::size_t i = 0; i + 1 < taken.pieces.size(); ++i) EXPECT_EQ(taken.pieces[i].size(), size);
    }
  }
  expect_quiet(client);
}

// ---- text

/// Where HTTPX raises, the default encoding is used.
json with_deviation(json row) {
  if (row.contains("error")) row["text"] = from_hex(row["body_hex"]);
  return row;
}

TEST_F(IterationTest, TextAsRecordedHoweverCut) {
  std::vector<std::string> responses;
  std::vector<json> rows;
  for (const json& row : recorded("text_decoder.json")) {
    const std::string body = from_hex(row["body_hex"]);
    const std::string field =
        row["content_type"].is_null() ? "" : "Content-Type: " + std::string(row["content_type"]) + "\r\n";
    for (const Pieces& pieces : every_cut(body)) {
      responses.push_back(chunked_response(pieces, field));
      rows.push_back(with_deviation(row));
    }
  }
  Peer peer(answering_by_number(responses));
  AsyncClient plain(shard());
  AsyncClient japanese(shard(), ClientOptions().default_encoding("shift-jis"));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i].dump());
    AsyncClient& client = rows[i].contains("default_encoding") ? japanese : plain;
    const Taken taken = take(client, peer, i, as_text);
    ASSERT_EQ(taken.joined(), std::string(rows[i]["text"]));
    ASSERT_EQ(taken.ending, "end");
  }
}

TEST_F(IterationTest, TextIsThatOfTheChosenEncoding) {
  Peer peer(Peer::answering(ok_response("\xE9t\xE9", "Content-Type: text/plain; charset=utf-8\r\n")));
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    response.set_encoding("iso-8859-1");
    EXPECT_EQ(response.encoding(), "iso-8859-1");
    EXPECT_EQ((co_await take_all(response.iter_text())).joined(), "été");
  });
}

// ---- lines

TEST_F(IterationTest, LinesAsRecordedHoweverCut) {
  std::vector<std::string> responses;
  std::vector<std::vector<std::string>> expected;
  for (const json& row : recorded("line_decoder.json")) {
    std::vector<std::string> chunks;
    std::string all;
    for (const json& chunk : row["chunks_hex"]) all += chunks.emplace_back(from_hex(chunk));
    responses.push_back(chunked_response(chunks));
    for (const Pieces& pieces : every_cut(all)) responses.push_back(chunked_response(pieces));
    expected.resize(responses.size(), strings(row["lines"]));
  }
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const Taken taken = take(client, peer, i, lines());
    ASSERT_EQ(taken.pieces, expected[i]) << responses[i];
    ASSERT_EQ(taken.ending, "end");
  }
}

/// The text of a line may be empty; only for lines does an iterator give empty pieces.
TEST_F(IterationTest, EveryLineModeHoweverCut) {
  const std::string body =
      "\xEF\xBB\xBF"
      "one\r\ntwo\rthree\n\n{\"a\":\"\xE2\x80\xA8\"}\v\f\x1C\x1D\x1E\xC2\x85 \t\r\n\r\r\n\nlast";
  const std::vector<Pieces> cuts = every_cut(body);
  std::vector<std::string> responses;
  for (const Pieces& pieces : cuts) responses.push_back(chunked_response(pieces));
  const std::string coded = gzip(body);
  for (const Pieces& pieces : every_cut(coded))
    responses.push_back(chunked_response(pieces, content_encoding("gzip")));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (LineMode mode : kLineModes) {
    const std::vector<std::string> expected = defined_lines(mode, body);
    for (std::size_t i = 0; i < responses.size(); ++i) {
      const Taken taken = take(client, peer, i, lines(mode));
      ASSERT_EQ(taken.pieces, expected) << "mode " << int(mode) << ", response " << i;
    }
  }
  expect_quiet(client);
}

TEST_F(IterationTest, LinesOfAnotherCharset) {
  std::string wide;
  for (char c : "un\ndeux\r\ntrois"sv) (wide += c) += '\0';
  std::vector<std::string> responses;
  for (const Pieces& pieces : every_cut(wide))
    responses.push_back(chunked_response(pieces, "Content-Type: text/plain; charset=utf-16le\r\n"));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i)
    ASSERT_EQ(take(client, peer, i, lines()).pieces, (std::vector<std::string>{"un", "deux", "trois"})) << i;
}

TEST_F(IterationTest, ALineThatIsTooLong) {
  const std::string body = "short\n" + std::string(11, 'x') + "\nmore";
  std::vector<std::string> responses;
  for (const Pieces& pieces : every_cut(body)) responses.push_back(chunked_response(pieces));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard(), ClientOptions().receive_limits({.max_line_bytes = 10}));
  AsyncClient patient(shard(), ClientOptions().receive_limits({.max_line_bytes = 11}));
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const Taken taken = take(client, peer, i, lines());
    EXPECT_EQ(taken.pieces, std::vector<std::string>{"short"}) << i;
    EXPECT_EQ(taken.ending, "LimitExceeded in body") << i;
    EXPECT_EQ(take(patient, peer, i, lines()).ending, "end") << i;
  }
}

// ---- content codings

struct CodedBody {
  std::string codings;
  std::string body;
};

std::vector<CodedBody> every_coding(const std::string& content) {
  return {
      {"gzip", gzip(content)},
      {"x-gzip", gzip(content)},
      {"GZip", gzip_with_all_fields(content)},
      {"deflate", zlib(content)},
      {"deflate", raw_deflate(content)},
      {"br", brotli(content)},
      {"zstd", zstd(content)},
      {"identity", content},
      {" , gzip ,", gzip(content)},
      {"gzip, identity", gzip(content)},
      {"gzip, br", brotli(gzip(content))},
      {"deflate, zstd, gzip", gzip(zstd(zlib(content)))},
      {"gzip, gzip, gzip, gzip, gzip", gzip(gzip(gzip(gzip(gzip(content)))))},
      {"gzip", gzip(content.substr(0, content.size() / 2)) + gzip(content.substr(content.size() / 2))},
      {"zstd", zstd(content.substr(0, content.size() / 2)) + zstd(content.substr(content.size() / 2))},
  };
}

TEST_F(IterationTest, EveryCodingHoweverCut) {
  const std::string content = patterned_bytes(40);
  std::vector<std::string> responses;
  std::vector<CodedBody> bodies;
  for (const CodedBody& coded : every_coding(content)) {
    for (const Pieces& pieces : every_cut(coded.body)) {
      responses.push_back(chunked_response(pieces, content_encoding(coded.codings)));
      bodies.push_back(coded);
    }
  }
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const Taken decoded = take(client, peer, i, as_bytes);
    ASSERT_EQ(decoded.joined(), content) << bodies[i].codings << " " << i;
    ASSERT_EQ(decoded.ending, "end");
    if (i % 7 != 0) continue;
    ASSERT_EQ(take(client, peer, i, as_raw).joined(), bodies[i].body);
    ASSERT_EQ(take(client, peer, i, as_text).joined(), content);
    Response whole = get(client, peer.url("/" + std::to_string(i))).value();
    ASSERT_EQ(whole.content(), content);
    ASSERT_EQ(whole.num_bytes_downloaded(), bodies[i].body.size());
    ASSERT_EQ(whole.num_bytes_decoded(), content.size());
    ASSERT_EQ(whole.unknown_coding(), "");
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);  // success leaves the connection for the next
  expect_quiet(client);
}

TEST_F(IterationTest, LargeCodedBodies) {
  const std::string content = patterned_bytes(700'000);
  const std::vector<CodedBody> bodies = every_coding(content);
  std::vector<std::string> responses;
  for (const CodedBody& coded : bodies)
    responses.push_back(ok_response(coded.body, content_encoding(coded.codings)));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  for (std::size_t i = 0; i < responses.size(); ++i) {
    SCOPED_TRACE(bodies[i].codings);
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, peer.url("/" + std::to_string(i)));
      Taken taken = co_await take_all(response.iter_bytes());
      EXPECT_EQ(taken.ending, "end");
      EXPECT_TRUE(taken.joined() == content);
      EXPECT_EQ(response.num_bytes_downloaded(), bodies[i].body.size());
      EXPECT_EQ(response.num_bytes_decoded(), content.size());
      StreamingResponse again = co_await client.stream(Method::Get, peer.url("/" + std::to_string(i)));
      std::string_view read = co_await again.read();
      EXPECT_TRUE(read == content);
      EXPECT_EQ(again.num_bytes_decoded(), content.size());
      EXPECT_TRUE(again.content() == content);
    });
    EXPECT_TRUE(get(client, peer.url("/" + std::to_string(i))).value().content() == content);
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

TEST_F(IterationTest, AnUnknownCodingStopsDecoding) {
  const std::string content = "some content";
  const std::vector<CodedBody> bodies = {
      {"rot13", content}, {"rot13, gzip", gzip(content)}, {"gzip, Rot13", content}};
  const std::vector<std::string> unknown = {"rot13", "rot13", "Rot13"};
  std::vector<std::string> responses;
  for (const CodedBody& coded : bodies)
    responses.push_back(ok_response(coded.body, content_encoding(coded.codings)));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i) {
    EXPECT_EQ(take(client, peer, i, as_bytes).joined(), content);
    Response response = get(client, peer.url("/" + std::to_string(i))).value();
    EXPECT_EQ(response.content(), content);
    EXPECT_EQ(response.unknown_coding(), unknown[i]);
    EXPECT_EQ(response.headers().first("content-encoding"), bodies[i].codings);
  }
}

/// A response whose body cannot be decoded, in each of the ways to ask for its content.
class BadCodingTest : public IterationTest {
 protected:
  void expect_all_ways(AsyncClient& client, const Peer& peer, std::size_t number,
                       const std::string& outcome) {
    const std::string url = peer.url("/" + std::to_string(number));
    EXPECT_EQ(take(client, peer, number, as_bytes).ending, outcome);
    EXPECT_EQ(take(client, peer, number, blocks_of(7)).ending, outcome);
    EXPECT_EQ(take(client, peer, number, as_text).ending, outcome);
    EXPECT_EQ(take(client, peer, number, lines()).ending, outcome);
    EXPECT_EQ(take(client, peer, number, as_raw).ending, "end");
    EXPECT_EQ(outcome_of(get(client, url)), outcome);
    run([&]() -> Task<void> {
      StreamingResponse response = co_await client.stream(Method::Get, url);
      EXPECT_EQ(outcome_of(co_await response.read().as_result()), outcome);
      EXPECT_TRUE(response.is_closed());
      EXPECT_THROW((void)response.content(), ResponseNotRead);
      EXPECT_EQ(outcome_of(co_await response.read().as_result()), "StreamConsumed in body");
    });
    EXPECT_EQ(get(client, peer.url("/0")).value().content(), "fine") << "the client has not recovered";
  }
};

TEST_F(BadCodingTest, TruncatedCorruptAndTrailing) {
  const std::string content = patterned_bytes(1'000);
  std::vector<CodedBody> bodies = {{"gzip", gzip("fine")}};
  for (const auto& [coding, coded] :
       std::vector<std::pair<std::string, std::string>>{{"gzip", gzip(content)},
                                                        {"deflate", zlib(content)},
                                                        {"br", brotli(content)},
                                                        {"zstd", zstd(content)}}) {
    bodies.push_back({coding, coded.substr(0, coded.size() - 1)});
    bodies.push_back({coding, coded.substr(0, coded.size() / 2)});
    bodies.push_back({coding, coded + "garbage behind it"});
    bodies.push_back({coding, "this is no coded content at all, but it goes on for a while"});
  }
  std::string bad_sum = gzip(content);
  bad_sum[bad_sum.size() - 5] ^= 1;
  bodies.push_back({"gzip", bad_sum});
  bodies.push_back({"gzip, br", brotli(gzip(content).substr(0, 100))});
  std::vector<std::string> responses;
  for (const CodedBody& coded : bodies)
    responses.push_back(ok_response(coded.body, content_encoding(coded.codings)));
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 1; i < responses.size(); ++i) {
    SCOPED_TRACE(bodies[i].codings + " " + std::to_string(i));
    expect_all_ways(client, peer, i, "DecodingError in body");
  }
  expect_quiet(client);
}

/// An error in the middle of a body leaves the rest of it on the connection, which must go.
TEST_F(BadCodingTest, ClosesTheConnection) {
  Peer peer([](PeerConnection& connection) {
    connection.read_request();
    connection.send(chunked_head(content_encoding("gzip")) + chunk_of("this is not gzip"));
    connection.read(1);  // until the client goes
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    Taken taken = co_await take_all(response.iter_bytes());
    EXPECT_EQ(taken.ending, "DecodingError in body");
    EXPECT_EQ(client.pool_stats().connections, 0U);  // although the response is still there
  });
  EXPECT_EQ(outcome_of(get(client, peer.url())), "DecodingError in body");
  EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 2; }));
  expect_quiet(client);
}

TEST_F(BadCodingTest, ErrorsSayWhatTheLibrarySaid) {
  Peer peer(Peer::answering(ok_response("this is not zstd at all", content_encoding("zstd"))));
  AsyncClient client(shard());
  auto response = get(client, peer.url("/a?secret"));
  ASSERT_FALSE(response);
  EXPECT_FALSE(response.error().facts().library_code.empty());
  EXPECT_EQ(response.error().facts().request, "GET " + peer.url("/a"));
  EXPECT_THROW(response.error().raise(), DecodingError);
}

TEST_F(BadCodingTest, Limits) {
  const std::string zeros(40'000'000, '\0');
  const std::string small = patterned_bytes(10'000);
  const std::vector<std::string> responses = {
      ok_response(gzip("fine"), content_encoding("gzip")), ok_response(gzip(zeros), content_encoding("gzip")),
      ok_response(zstd(zeros), content_encoding("zstd")), ok_response(gzip(small), content_encoding("gzip")),
      ok_response(gzip(gzip(small)), content_encoding("gzip, gzip"))};
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t bomb : {1U, 2U}) {
    EXPECT_EQ(take(client, peer, bomb, as_bytes).ending, "LimitExceeded in body");
    EXPECT_EQ(outcome_of(get(client, peer.url("/" + std::to_string(bomb)))), "LimitExceeded in body");
  }
  AsyncClient any_ratio(shard(), ClientOptions().receive_limits({.max_decoding_ratio = 0}));
  EXPECT_TRUE(take(any_ratio, peer, 1, blocks_of(zeros.size())).joined() == zeros);
  AsyncClient small_only(shard(), ClientOptions().receive_limits({.max_decoded_body_bytes = 9'999}));
  expect_all_ways(small_only, peer, 3, "LimitExceeded in body");
  AsyncClient small_enough(shard(), ClientOptions().receive_limits({.max_decoded_body_bytes = 10'000}));
  EXPECT_EQ(take(small_enough, peer, 3, as_bytes).joined(), small);
  AsyncClient one_layer(shard(), ClientOptions().receive_limits({.max_content_codings = 1}));
  expect_all_ways(one_layer, peer, 4, "LimitExceeded in body");
  EXPECT_EQ(take(one_layer, peer, 3, as_bytes).joined(), small);
  AsyncClient small_buffer(shard(), ClientOptions().receive_limits({.max_buffered_body_bytes = 9'999}));
  EXPECT_EQ(outcome_of(get(small_buffer, peer.url("/3"))), "LimitExceeded in body");
  EXPECT_EQ(take(small_buffer, peer, 3, as_bytes).joined(), small);  // not kept, so not limited
}

TEST_F(IterationTest, CodedResponsesWithoutABody) {
  const std::vector<std::string> responses = {
      "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, br\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 100\r\n\r\n"};
  Peer peer(answering_by_number(responses));
  AsyncClient client(shard());
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const Method method = i == 3 ? Method::Head : Method::Get;
    const std::string url = peer.url("/" + std::to_string(i));
    auto response = run(client.request(method, url).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "");
    run([&]() -> Task<void> {
      StreamingResponse streamed = co_await client.stream(method, url);
      Taken taken = co_await take_all(streamed.iter_bytes());
      EXPECT_EQ(taken, (Taken{{}, "end"}));
      StreamingResponse text_response = co_await client.stream(method, url);
      taken = co_await take_all(text_response.iter_lines());
      EXPECT_EQ(taken, (Taken{{}, "end"}));
    });
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

TEST_F(IterationTest, AcceptEncoding) {
  RequestLog log;
  Peer peer(log.answering());
  AsyncClient client(shard());
  (void)get(client, peer.url());
  EXPECT_EQ(log.last().field("accept-encoding"), wire::accept_encoding());
  for (const char* coding : {"gzip", "deflate", "br", "zstd"})
    EXPECT_NE(log.last().field("accept-encoding").find(coding), std::string::npos);
  (void)run(client.get(peer.url()).without_header("Accept-Encoding").as_result());
  EXPECT_EQ(log.last().field("accept-encoding"), "-");
  (void)run(client.get(peer.url()).header("accept-encoding", "br").as_result());
  EXPECT_EQ(log.last().field("accept-encoding"), "br");
  AsyncClient plain(shard(), ClientOptions().without_header("accept-encoding"));
  (void)get(plain, peer.url());
  EXPECT_EQ(log.last().field("accept-encoding"), "-");
}

/// Coded bytes are decoded as they come: what a peer has flushed is there before it sends more.
TEST_F(IterationTest, WhatWasFlushedIsThereAtOnce) {
  Gate first_seen;
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send(chunked_head(content_encoding("gzip")) + chunk_of(gzip("first\n")));
    first_seen.wait();
    connection.send(chunk_of(gzip("second\n")) + "0\r\n\r\n");
    connection.read(1);
  });
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, peer.url());
    auto body = response.iter_lines();
    EXPECT_EQ(co_await body.next(), "first");
    first_seen.open();
    EXPECT_EQ(co_await body.next(), "second");
    EXPECT_FALSE((co_await body.next()).has_value());
  });
}

}  // namespace
}  // namespace sluice
