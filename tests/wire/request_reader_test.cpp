// SPDX-License-Identifier: MIT
#include "engine/wire/request_reader.hpp"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/wire/request_writer.hpp"

namespace sluice::wire {
namespace {

using Event = RequestReader::Event;

struct Outcome {
  Event last = Event::need_more;
  std::string method;
  std::string target;
  std::string body;
  std::string rest;
  std::string failure;
  std::size_t fields = 0;
  bool keep_alive = false;

  bool ok() const { return last == Event::end; }
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "{" << outcome.method << ' ' << outcome.target << ", body '" << outcome.body << "', failure '"
       << outcome.failure << "'}";
}

Outcome read_pieces(const std::vector<std::string>& pieces) {
  Outcome outcome;
  RequestHead head;
  RequestReader reader;
  reader.start(head);
  auto finished = [&] { return outcome.last == Event::end || outcome.last == Event::failed; };
  for (const std::string& piece : pieces) {
    std::vector<char> exact(piece.begin(), piece.end());
    std::span<const char> input(exact);
    while (!finished()) {
      outcome.last = reader.next(input);
      if (outcome.last == Event::need_more) break;
      if (outcome.last == Event::body) outcome.body.append(reader.body().data(), reader.body().size());
    }
    if (outcome.last == Event::end) outcome.rest.append(input.data(), input.size());
  }
  if (!finished()) outcome.last = reader.end_of_stream();
  outcome.failure = reader.failure();
  if (!outcome.ok()) return outcome;
  outcome.method = head.method.name();
  outcome.target = head.target;
  outcome.fields = head.headers.size();
  outcome.keep_alive = reader.keep_alive();
  return outcome;
}

/// The outcome of `bytes`, which must be the same however they are cut.
Outcome read_every_way(const std::string& bytes) {
  Outcome whole = read_pieces({bytes});
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    EXPECT_EQ(read_pieces({bytes.substr(0, cut), bytes.substr(cut)}), whole) << "cut at " << cut;
  std::vector<std::string> single;
  for (char c : bytes) single.emplace_back(1, c);
  EXPECT_EQ(read_pieces(single), whole) << "byte by byte";
  return whole;
}

std::string failure_of(const std::string& bytes) {
  return read_every_way(bytes).failure;
}

TEST(RequestReader, WithoutBody) {
  Outcome outcome = read_every_way("GET /a?b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\nGET ");
  EXPECT_TRUE(outcome.ok()) << outcome.failure;
  EXPECT_EQ(outcome.method, "GET");
  EXPECT_EQ(outcome.target, "/a?b");
  EXPECT_EQ(outcome.fields, 2U);
  EXPECT_EQ(outcome.rest, "GET ");
  EXPECT_TRUE(outcome.keep_alive);
}

TEST(RequestReader, Bodies) {
  Outcome outcome = read_every_way("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabcrest");
  EXPECT_EQ(outcome.body, "abc");
  EXPECT_EQ(outcome.rest, "rest");
  outcome = read_every_way(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nrest");
  EXPECT_EQ(outcome.body, "abc");
  EXPECT_EQ(outcome.rest, "rest");
}

TEST(RequestReader, TargetForms) {
  for (const char* line : {"GET http://x/y", "OPTIONS *", "CONNECT x:443", "GET /%20~!$&'()*+,;=:@"})
    EXPECT_TRUE(read_every_way(std::string(line) + " HTTP/1.1\r\nHost: x\r\n\r\n").ok()) << line;
}

TEST(RequestReader, KeepAlive) {
  EXPECT_FALSE(read_every_way("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(read_every_way("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(read_every_way("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(RequestReader, MalformedRequestLine) {
  for (const char* line :
       {"GET /  HTTP/1.1", "GET  / HTTP/1.1", " GET / HTTP/1.1", "GET /", "GET / HTTP/1.1 ", "GET / HTTP/2.0",
        "GET / http/1.1", "GET\t/ HTTP/1.1", "GET /\xE9 HTTP/1.1", "G(T / HTTP/1.1", "get / HTTP/1.1",
        "NOSUCHMETHOD / HTTP/1.1", "\r\nGET / HTTP/1.1", ""})
    EXPECT_FALSE(read_every_way(std::string(line) + "\r\nHost: x\r\n\r\n").ok()) << line;
}

TEST(RequestReader, Smuggling) {
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::string failed = "malformed request head: ";
  EXPECT_EQ(failure_of(post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            failed + "both Transfer-Encoding and Content-Length");
  EXPECT_EQ(failure_of(post + "Transfer-Encoding: gzip\r\n\r\n"),
            failed + "the last transfer coding is not chunked");
  EXPECT_EQ(failure_of(post + "Transfer-Encoding: chunked, identity\r\n\r\n"),
            failed + "chunked is not the last transfer coding");
  EXPECT_EQ(failure_of(post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            failed + "differing Content-Length values");
  EXPECT_EQ(failure_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            failed + "Transfer-Encoding in HTTP/1.0");
  EXPECT_EQ(failure_of("GET / HTTP/1.1\r\n\r\n"), failed + "no Host field");
  EXPECT_EQ(failure_of("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"), failed + "more than one Host field");
}

TEST(RequestReader, CutShort) {
  EXPECT_EQ(failure_of(""), "closed before a request");
  EXPECT_EQ(failure_of("GET / HT"), "closed within a request head, after 8 bytes of it");
  EXPECT_EQ(failure_of("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc"),
            "closed after 3 of 4 body bytes");
}

TEST(RequestReader, ReadsWhatTheWriterWrites) {
  detail::String out;
  const Headers headers = {{"Host", "x"}, {"Content-Length", "2"}, {"X", "a\tb"}};
  write_request_head(out, Method::Patch, "/p", headers);
  Outcome outcome = read_every_way(std::string(out) + "hi");
  EXPECT_TRUE(outcome.ok()) << outcome.failure;
  EXPECT_EQ(outcome.method, "PATCH");
  EXPECT_EQ(outcome.body, "hi");
}

}  // namespace
}  // namespace sluice::wire
