// SPDX-License-Identifier: MIT
#include "engine/wire/response_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::wire {
namespace {

using Event = ResponseReader::Event;

/// What reading a stream of bytes up to the close of the peer came to.
struct Outcome {
  Event last = Event::need_more;
  int status = 0;
  int informational = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
  std::string rest;
  std::string failure;
  bool keep_alive = false;

  bool ok() const { return last == Event::end; }
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "{last " << static_cast<int>(outcome.last) << ", status " << outcome.status << ", body '"
       << outcome.body << "', rest '" << outcome.rest << "', failure '" << outcome.failure << "'}";
}

std::vector<std::pair<std::string, std::string>> copy(const Headers& headers) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (auto [name, value] : headers) fields.emplace_back(name, value);
  return fields;
}

/// Reads the pieces one after the other, then the close.
Outcome read_pieces(const std::vector<std::string>& pieces, ReplyTo reply_to = ReplyTo::request,
                    const ReaderLimits& limits = {}) {
  Outcome outcome;
  ResponseHead head;
  ResponseReader reader(limits);
  reader.start(reply_to, head);
  auto finished = [&] { return outcome.last == Event::end || outcome.last == Event::failed; };
  for (const std::string& piece : pieces) {
    if (finished()) {
      outcome.rest += piece;
      continue;
    }
    std::vector<char> exact(piece.begin(), piece.end());  // so that reading beyond the piece is seen
    std::span<const char> input(exact);
    do {
      outcome.last = reader.next(input);
      if (outcome.last == Event::informational) ++outcome.informational;
      if (outcome.last == Event::body) {
        EXPECT_FALSE(reader.body().empty());
        EXPECT_GE(reader.body().data(), exact.data());
        EXPECT_LE(reader.body().data() + reader.body().size(), exact.data() + exact.size());
        outcome.body.append(reader.body().data(), reader.body().size());
      }
    } while (outcome.last != Event::need_more && !finished());
    if (outcome.last == Event::need_more) {
      EXPECT_TRUE(input.empty());
    }
    if (outcome.last == Event::end) outcome.rest.append(input.data(), input.size());
  }
  if (!finished()) outcome.last = reader.end_of_stream();
  EXPECT_TRUE(finished());
  EXPECT_EQ(outcome.last == Event::failed, !reader.failure().empty());
  outcome.failure = reader.failure();
  if (outcome.last == Event::failed) {
    outcome.rest.clear();
    return outcome;
  }
  outcome.status = head.status;
  outcome.reason = head.reason;
  outcome.headers = copy(head.headers);
  outcome.trailers = copy(reader.trailers());
  outcome.keep_alive = reader.keep_alive();
  EXPECT_EQ(reader.body_bytes(), outcome.body.size());
  return outcome;
}

Outcome read(const std::string& bytes, ReplyTo reply_to = ReplyTo::request, const ReaderLimits& limits = {}) {
  return read_pieces({bytes}, reply_to, limits);
}

std::vector<std::string> single_bytes(const std::string& bytes) {
  std::vector<std::string> pieces;
  for (char c : bytes) pieces.emplace_back(1, c);
  return pieces;
}

/// The outcome of `bytes`, which must be the same however they are cut.
Outcome read_every_way(const std::string& bytes, ReplyTo reply_to = ReplyTo::request) {
  Outcome whole = read(bytes, reply_to);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    EXPECT_EQ(read_pieces({bytes.substr(0, cut), bytes.substr(cut)}, reply_to), whole) << "cut at " << cut;
  EXPECT_EQ(read_pieces(single_bytes(bytes), reply_to), whole) << "byte by byte";
  return whole;
}

std::string failure_of(const std::string& bytes) {
  return read_every_way(bytes).failure;
}

std::string with_fields(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
}

std::string chunked(const std::string& body) {
  return with_fields("Transfer-Encoding: chunked\r\n") + body;
}

std::string decode_base64(const std::string& text) {
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(alphabet.find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return bytes;
}

nlohmann::json table() {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/responses.json");
  return nlohmann::json::parse(file);
}

/// The rows without a verdict of their own; docs/wire.md says why each is decided so.
const std::map<std::string, bool>& accepted_by_policy() {
  static const std::map<std::string, bool> rows = {
      {"garden/60", true},               // Transfer-Encoding beats Content-Length; not reused
      {"llhttp/connection/8", true},     // bytes after the end are the caller's affair
      {"wpt/asis/COLON/in-name", true},  // the first colon ends the name
  };
  return rows;
}

TEST(ResponseTable, EveryRowEveryCut) {
  const nlohmann::json rows = table();
  ASSERT_GT(rows.size(), 150U);
  for (const auto& row : rows) {
    const std::string id = row["id"];
    SCOPED_TRACE(id);
    const std::string want = row["want"];
    const bool accept = want == "accept" || (want == "policy" && accepted_by_policy().contains(id));
    const Outcome outcome =
        read_every_way(decode_base64(row["b64"]), row["method"] == "HEAD" ? ReplyTo::head : ReplyTo::request);
    EXPECT_EQ(outcome.ok(), accept) << want << ": " << outcome.failure;
    if (outcome.ok() && row.contains("body_b64") && row["body_b64"].is_string()) {
      EXPECT_EQ(outcome.body, decode_base64(row["body_b64"]));
    }
  }
}

// Reading

TEST(ResponseReader, CountedBody) {
  Outcome outcome =
      read_every_way("HTTP/1.1 201 Made it\r\nContent-Length: 5\r\nX-A: b \r\nEmpty:\r\n\r\nhelloextra");
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.status, 201);
  EXPECT_EQ(outcome.reason, "Made it");
  EXPECT_EQ(outcome.body, "hello");
  EXPECT_EQ(outcome.rest, "extra");
  EXPECT_TRUE(outcome.keep_alive);
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"Content-Length", "5"}, {"X-A", "b"}, {"Empty", ""}};
  EXPECT_EQ(outcome.headers, headers);
}

TEST(ResponseReader, ChunkedBodyWithTrailers) {
  Outcome outcome =
      read_every_way(chunked("5\r\nhello\r\n06;a;b=c ; d=\"e;\\\"f\"\r\n world\r\n000\r\nX-Sum: "
                             "1\r\nContent-Length: 9\r\n\r\nrest"));
  EXPECT_TRUE(outcome.ok()) << outcome.failure;
  EXPECT_EQ(outcome.body, "hello world");
  EXPECT_EQ(outcome.rest, "rest");
  const std::vector<std::pair<std::string, std::string>> trailers = {{"X-Sum", "1"}};
  EXPECT_EQ(outcome.trailers, trailers) << "framing fields in trailers are dropped";
}

TEST(ResponseReader, BodyUntilClose) {
  Outcome outcome = read_every_way(with_fields("X: y\r\n") + "all of it");
  EXPECT_EQ(outcome.body, "all of it");
  EXPECT_FALSE(outcome.keep_alive);
  outcome = read_every_way(with_fields("Transfer-Encoding: gzip\r\nContent-Length: 3\r\n") + "coded");
  EXPECT_EQ(outcome.body, "coded");
  EXPECT_FALSE(outcome.keep_alive);
}

TEST(ResponseReader, NoBodyWhateverTheFieldsSay) {
  const std::string fields = "Content-Length: 10\r\n\r\n";
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    Outcome outcome = read_every_way(std::string("HTTP/1.1 ") + status + "\r\n" + fields + "X");
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.body, "");
    EXPECT_EQ(outcome.rest, "X");
    EXPECT_TRUE(outcome.keep_alive);
  }
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\n" + fields, ReplyTo::head).rest, "");
  EXPECT_EQ(read_every_way(chunked("5\r\n"), ReplyTo::head).rest, "5\r\n");
}

TEST(ResponseReader, AnnouncedLength) {
  ResponseHead head;
  ResponseReader reader;
  reader.start(ReplyTo::request, head);
  EXPECT_FALSE(reader.started());
  const std::string bytes = with_fields("Content-Length: 7\r\n") + "abc";
  std::span<const char> input(bytes);
  EXPECT_EQ(reader.next(input), Event::head);
  EXPECT_TRUE(reader.started());
  EXPECT_EQ(reader.content_length(), 7U);
  EXPECT_EQ(reader.next(input), Event::body);
  EXPECT_EQ(reader.content_length(), 7U);
  EXPECT_EQ(reader.next(input), Event::need_more);
  EXPECT_FALSE(reader.keep_alive()) << "not before the end";
}

TEST(ResponseReader, OneAfterTheOtherFromOneInput) {
  const std::string bytes = with_fields("Content-Length: 1\r\n") + "a" +
                            chunked("1\r\nb\r\n0\r\nT: u\r\n\r\n") + with_fields("Content-Length: 0\r\n");
  std::span<const char> input(bytes);
  ResponseHead head;
  ResponseReader reader;
  std::string bodies;
  for (int i = 0; i < 3; ++i) {
    reader.start(ReplyTo::request, head);
    EXPECT_EQ(reader.next(input), Event::head);
    Event event = reader.next(input);
    for (; event == Event::body; event = reader.next(input))
      bodies.append(reader.body().data(), reader.body().size());
    EXPECT_EQ(event, Event::end);
    EXPECT_EQ(reader.trailers().size(), i == 1 ? 1U : 0U);
    EXPECT_TRUE(reader.keep_alive());
  }
  EXPECT_TRUE(input.empty());
  EXPECT_EQ(bodies, "ab");
}

TEST(ResponseReader, FieldsKeepTheirLinesAndMayBeChanged) {
  ResponseReader reader;
  ResponseHead head;
  std::string_view text = "HTTP/1.1 204 No Content\r\nA:1\r\nEmpty:\r\nb: \t2 \r\nBlank:  \r\n\r\n";
  std::span<const char> input(text);
  reader.start(ReplyTo::request, head);
  ASSERT_EQ(reader.next(input), Event::head);
  EXPECT_EQ(head.headers.lines(), "A:1\r\nEmpty:\r\nb: \t2 \r\nBlank:  \r\n");
  EXPECT_EQ(head.headers, Headers({{"A", "1"}, {"Empty", ""}, {"b", "2"}, {"Blank", ""}}));
  head.headers.add("C", "3");
  head.headers.remove("Empty");
  EXPECT_EQ(head.headers.lines(), "A: 1\r\nb: 2\r\nBlank: \r\nC: 3\r\n");
}

TEST(ResponseReader, IsSmall) {
  EXPECT_LE(sizeof(ResponseReader), 288U) << "one sits in every idle connection";
}

// Informational responses, upgrades and tunnels

TEST(ResponseReader, InformationalResponsesAreReportedAndPassed) {
  Outcome outcome = read_every_way(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 5\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(outcome.informational, 2);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "hi");
  EXPECT_EQ(outcome.headers.size(), 1U);
}

TEST(ResponseReader, TooManyInformationalResponses) {
  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_TRUE(read(bytes + with_fields("Content-Length: 0\r\n")).ok());
  EXPECT_EQ(read(bytes + "HTTP/1.1 102 Processing\r\n\r\n").failure, "too many informational responses");
}

TEST(ResponseReader, ClosedAfterAnInformationalResponse) {
  EXPECT_EQ(failure_of("HTTP/1.1 100 Continue\r\n\r\n"),
            "closed after an informational response, before the final one");
}

TEST(ResponseReader, SwitchingProtocols) {
  const std::string bytes =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nproto";
  EXPECT_EQ(failure_of(bytes), "101 Switching Protocols, which was not asked for");
  Outcome outcome = read_every_way(bytes, ReplyTo::upgrade);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.status, 101);
  EXPECT_EQ(outcome.rest, "proto");
  EXPECT_FALSE(outcome.keep_alive);
}

TEST(ResponseReader, Tunnel) {
  Outcome outcome = read_every_way(with_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "tls",
                                   ReplyTo::connect);
  EXPECT_EQ(outcome.rest, "tls");
  EXPECT_FALSE(outcome.keep_alive);
  outcome = read_every_way("HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nwhy", ReplyTo::connect);
  EXPECT_EQ(outcome.body, "why");
  EXPECT_TRUE(outcome.keep_alive);
}

// Keep-alive

TEST(KeepAlive, Rules) {
  auto reusable = [](const std::string& version, const std::string& fields, const std::string& body = "") {
    Outcome outcome = read_every_way(version + " 200 OK\r\n" + fields + "\r\n" + body);
    EXPECT_TRUE(outcome.ok()) << outcome.failure;
    return outcome.keep_alive;
  };
  const std::string empty = "Content-Length: 0\r\n";
  const std::string coded = "Transfer-Encoding: chunked\r\n";
  const std::string last = "0\r\n\r\n";
  EXPECT_TRUE(reusable("HTTP/1.1", empty));
  EXPECT_TRUE(reusable("HTTP/1.1", coded, last));
  EXPECT_FALSE(reusable("HTTP/1.1", empty + "Connection: close\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.1", empty + "connection: x, CLOSE ,y\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.1", empty + "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_TRUE(reusable("HTTP/1.1", empty + "Connection: closer\r\n"));
  EXPECT_TRUE(reusable("HTTP/1.1", empty + "Proxy-Connection: close\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.0", empty));
  EXPECT_TRUE(reusable("HTTP/1.0", empty + "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.0", empty + "Connection: keep-alive, close\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.1", ""));
  EXPECT_FALSE(reusable("HTTP/1.1", empty + coded, last)) << "both framings";
  EXPECT_FALSE(reusable("HTTP/1.0", coded + "Connection: keep-alive\r\n", last)) << "a coding in HTTP/1.0";
}

// Framing fields

TEST(Framing, EqualContentLengthsAreOne) {
  for (const char* fields : {"Content-Length: 3, 3\r\n", "Content-Length: 3\r\ncontent-length: 3\r\n",
                             "A: b\r\nContent-Length: \t3\t,3 \r\nC: d\r\nContent-Length: 3\r\n"}) {
    Outcome outcome = read_every_way(with_fields(fields) + "abc");
    EXPECT_TRUE(outcome.ok()) << fields << outcome.failure;
    EXPECT_EQ(outcome.body, "abc");
    EXPECT_EQ(std::count(outcome.headers.begin(), outcome.headers.end(),
                         std::pair<std::string, std::string>("Content-Length", "3")),
              1);
  }
  EXPECT_EQ(read_every_way(with_fields("Content-Length: 0003\r\n") + "abc").body, "abc");
}

TEST(Framing, MalformedContentLength) {
  for (const char* value : {"", " ", "+3", "-3", "0x3", "3s", "3 3", ",3", "3,", "3,,3", "3.0", "3;a",
                            "9223372036854775808", "18446744073709551619"}) {
    const std::string field = std::string("Content-Length: ") + value + "\r\n";
    const std::string failure = "malformed response head: malformed Content-Length";
    EXPECT_EQ(failure_of(with_fields(field) + "abc"), failure) << value;
    EXPECT_EQ(failure_of(with_fields(field + "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"), failure)
        << value;
  }
}

TEST(Framing, DifferingContentLengths) {
  for (const char* fields : {"Content-Length: 3, 4\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
                             "Content-Length: 03\r\nContent-Length: 3\r\n"})
    EXPECT_EQ(failure_of(with_fields(fields) + "abcd"),
              "malformed response head: differing Content-Length values");
}

TEST(Framing, TransferCodings) {
  auto body_of = [](const std::string& fields) {
    Outcome outcome = read_every_way(with_fields(fields) + "1\r\nx\r\n0\r\n\r\n");
    return outcome.ok() ? outcome.body : outcome.failure;
  };
  const std::string unknown = "malformed response head: unknown transfer coding";
  const std::string not_last = "malformed response head: chunked is not the last transfer coding";
  EXPECT_EQ(body_of("Transfer-Encoding: CHUNKED\r\n"), "x");
  EXPECT_EQ(body_of("Transfer-Encoding:\tgzip , chunked \t\r\n"), "x");
  EXPECT_EQ(body_of("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), "x");
  EXPECT_EQ(body_of("Transfer-Encoding: identity\r\n"), "1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(body_of("Transfer-Encoding: chunked, gzip\r\n"), not_last);
  EXPECT_EQ(body_of("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), not_last);
  EXPECT_EQ(body_of("Transfer-Encoding: chunked,\r\n"), not_last);
  for (const char* value :
       {"", "yolo", "chunkedchunked", "xchunked", "chunked;a=b", "\"chunked\"", ",chunked", "chunked\x80"})
    EXPECT_EQ(body_of(std::string("Transfer-Encoding: ") + value + "\r\n"), unknown) << value;
}

// Malformed heads, by name

TEST(MalformedHead, StatusLine) {
  for (const char* line :
       {"http/1.1 200 OK", "HTTP/1.2 200 OK", "HTTP/2.0 200 OK", "HTTP/11.1 200 OK", "HTTP/1.10 200 OK",
        "HTTP/1. 200 OK", "ICE/1.1 200 OK", " HTTP/1.1 200 OK", "HTTP /1.1 200 OK", "\r\nHTTP/1.1 200 OK",
        "HTTP/0.9 200 OK", "SSH-2.0-x", "<html>", ""})
    EXPECT_FALSE(read_every_way(std::string(line) + "\r\nContent-Length: 0\r\n\r\n").ok()) << line;
  for (const char* code :
       {"20", "2000", "2x0", "-10", "+20", "0x1", "", " 200", "\t200", "200\t", "200:", "000", "099"})
    EXPECT_FALSE(read_every_way(std::string("HTTP/1.1 ") + code + " OK\r\nContent-Length: 0\r\n\r\n").ok())
        << code;
}

TEST(MalformedHead, AcceptedStatusLines) {
  for (const char* rest : {"200", "200 ", "200  OK", "200 \tOK", "200 OK ", "999 \xE9t\xE9", "200 a:b"}) {
    Outcome outcome = read_every_way(std::string("HTTP/1.1 ") + rest + "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(outcome.ok()) << rest << outcome.failure;
  }
}

TEST(MalformedHead, Fields) {
  const std::map<std::string, std::string> faults = {
      {"A: b\n", "bare LF in a head"},
      {"A: b\nC: d\r\n", "bare LF in a head"},
      {"A: b\rC: d\r\n", "bare CR in a head"},
      {"A: b\r\r\n", "bare CR in a head"},
      {"\rX", "bare CR in a head"},
      {std::string("A: b\0c\r\n", 8), "NUL in a head"},
      {"A: b\x01\r\n", "control character in a head"},
      {"A: b\x7F\r\n", "control character in a head"},
      {"A: 0123456789\x0B\r\n", "control character in a head"},
      {"A: b\r\n c\r\n", "blank at the start of a header line"},
      {"\tA: b\r\n", "blank at the start of a header line"},
      {"A : b\r\n", "blank in a header name"},
      {"A b: c\r\n", "blank in a header name"},
      {": b\r\n", "empty header name"},
      {"A\r\n", "header line without a colon"},
      {"A\n: b\r\n", "header line without a colon"},
      {"A\xE9: b\r\n", "illegal character in a header name"},
      {"A\"b: c\r\n", "illegal character in a header name"},
      {std::string("\0A: c\r\n", 7), "illegal character in a header name"},
  };
  for (const auto& [fields, fault] : faults)
    EXPECT_EQ(failure_of(with_fields(fields)), "malformed response head: " + fault) << fields;
}

TEST(MalformedHead, IsFoundBeforeTheHeadIsWhole) {
  for (const char* bytes : {"H2", "\x15\x03\x03", "SSH-2.0", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nA b"}) {
    ResponseHead head;
    ResponseReader reader;
    reader.start(ReplyTo::request, head);
    std::span<const char> input(bytes, std::string_view(bytes).size());
    EXPECT_EQ(reader.next(input), Event::failed) << bytes;
    EXPECT_EQ(reader.next(input), Event::failed) << "and stays so";
    EXPECT_EQ(reader.end_of_stream(), Event::failed);
  }
}

// Malformed chunks, by name

TEST(MalformedChunk, Lines) {
  for (const char* line : {"+1",
                           "-1",
                           "0x1",
                           "x",
                           "",
                           " 1",
                           "1 ",
                           "1\t",
                           "1 ;a",
                           "1_0",
                           "g",
                           "1;",
                           "1;;a",
                           "1; ",
                           "1;a ",
                           "1;a=",
                           "1;a=\"b",
                           "1;a=\"\x01\"",
                           "1;a=b c",
                           "1;=b",
                           "1;a\x7F",
                           "1;a\r",
                           "1\r",
                           "1\r;a",
                           "10000000000000000",
                           "8000000000000000",
                           "ffffffffffffffff",
                           "100000000000000000001",
                           "0000000000000000000001"}) {
    EXPECT_FALSE(read_every_way(chunked(std::string(line) + "\r\nx\r\n0\r\n\r\n")).ok()) << line;
  }
  EXPECT_FALSE(read_every_way(chunked("1\nx\r\n0\r\n\r\n")).ok());
  EXPECT_FALSE(read_every_way(chunked("1;a\nx\r\n0\r\n\r\n")).ok());
  EXPECT_FALSE(read_every_way(chunked("1\r\nx\r\n0\n\r\n")).ok());
}

TEST(MalformedChunk, Ends) {
  for (const char* body :
       {"1\r\nx\n0\r\n\r\n", "1\r\nxy\r\n0\r\n\r\n", "1\r\nx\r0\r\n\r\n", "1\r\nx0\r\n\r\n"})
    EXPECT_EQ(failure_of(chunked(body)), "no CRLF after the data of a chunk") << body;
}

TEST(MalformedChunk, Trailers) {
  EXPECT_EQ(failure_of(chunked("0\r\nA b\r\n\r\n")), "malformed trailer section: blank in a header name");
  EXPECT_EQ(failure_of(chunked("0\r\nA: b\n\r\n")), "malformed trailer section: bare LF in a head");
  EXPECT_EQ(failure_of(chunked("0\r\n\n")), "malformed trailer section: header line without a colon");
}

// Messages cut short

TEST(CutShort, SaysWhereAndHowMuch) {
  EXPECT_EQ(read("").failure, "closed before a response");
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\n"), "closed within a response head, after 17 bytes of it");
  EXPECT_EQ(failure_of(with_fields("Content-Length: 9\r\n") + "abc"), "closed after 3 of 9 body bytes");
  EXPECT_EQ(failure_of(chunked("5\r\nabc")), "closed before the last chunk, after 3 body bytes");
  EXPECT_EQ(failure_of(chunked("3\r\nabc")), "closed before the last chunk, after 3 body bytes");
  EXPECT_EQ(failure_of(chunked("3\r\nabc\r\n")), "closed before the last chunk, after 3 body bytes");
  EXPECT_EQ(failure_of(chunked("3\r\nabc\r\n0")), "closed before the last chunk, after 3 body bytes");
  EXPECT_EQ(failure_of(chunked("3\r\nabc\r\n0\r\n")),
            "closed within the trailer section, after 3 body bytes");
  EXPECT_EQ(failure_of(chunked("3\r\nabc\r\n0\r\nA: b\r\n")),
            "closed within the trailer section, after 3 body bytes");
}

// Limits

/// Feeds `first`, then `again` for ever, in pieces; the failure, and how many bytes it took.
std::pair<std::string, std::size_t> read_endless(const std::string& first, const std::string& again,
                                                 const ReaderLimits& limits = {}) {
  ResponseHead head;
  ResponseReader reader(limits);
  reader.start(ReplyTo::request, head);
  std::size_t taken = 0;
  for (std::string piece = first; taken < 4 * 1024 * 1024; piece = again) {
    std::span<const char> input(piece);
    Event event;
    do {
      event = reader.next(input);
      if (event == Event::failed) return {std::string(reader.failure()), taken};
    } while (event != Event::need_more);
    taken += piece.size();
  }
  return {"no failure", taken};
}

TEST(Limits, EndlessHead) {
  const std::string too_long = "the response head is longer than 102400 bytes";
  for (const char* again : {"x", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
    auto [failure, taken] = read_endless("HTTP/1.1 200 OK\r\nA: ", again);
    EXPECT_EQ(failure, too_long);
    EXPECT_LE(taken, 102400U);
    EXPECT_EQ(read_endless("HTTP/1.1 200 ", again).first, too_long);
    EXPECT_EQ(read_endless("HTTP/1.1 200 OK\r\n", again).first, too_long);
  }
}

TEST(Limits, HeadInOnePiece) {
  ReaderLimits limits;
  const std::string bytes = with_fields("Content-Length: 0\r\nA: " + std::string(100, 'a') + "\r\n");
  limits.max_head_bytes = static_cast<std::uint32_t>(bytes.size());
  EXPECT_TRUE(read(bytes, ReplyTo::request, limits).ok());
  EXPECT_TRUE(read_pieces(single_bytes(bytes), ReplyTo::request, limits).ok());
  --limits.max_head_bytes;
  EXPECT_FALSE(read(bytes, ReplyTo::request, limits).ok());
  EXPECT_FALSE(read_pieces(single_bytes(bytes), ReplyTo::request, limits).ok());
}

TEST(Limits, HeaderCount) {
  std::string fields = "Content-Length: 0\r\n";
  for (int i = 0; i < 255; ++i) fields += "A: b\r\n";
  EXPECT_TRUE(read(with_fields(fields)).ok());
  EXPECT_EQ(read(with_fields(fields + "A: b\r\n")).failure,
            "malformed response head: too many header fields");
  EXPECT_EQ(read_endless("HTTP/1.1 200 OK\r\n", "A: b\r\n").first,
            "malformed response head: too many header fields");
}

TEST(Limits, Trailers) {
  EXPECT_EQ(read_endless(chunked("0\r\n"), "A: bcdefghijklmnopqrstuvwxyz\r\n").first,
            "malformed trailer section: too many header fields");
  EXPECT_EQ(read_endless(chunked("0\r\nA:"), "bcdefghijklmnopqrstuvwxyz").first,
            "the trailer section is longer than 16384 bytes");
}

TEST(Limits, ChunkExtensions) {
  EXPECT_NE(read_endless(chunked("1;a="), "b").first, "no failure");
  auto [failure, taken] = read_endless(chunked(""), "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n");
  EXPECT_NE(failure, "no failure") << "many small ones are bounded too";
  EXPECT_LE(taken, 32U * 1024U);
}

}  // namespace
}  // namespace sluice::wire
