// SPDX-License-Identifier: MIT
// What a client makes of a response.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class ResponseTest : public ShardTest {
 protected:
  /// The response to a GET (or another method) that a peer answers with these bytes, then closes.
  Response fetch(const std::string& bytes, Method method = Method::Get) {
    Peer peer(Peer::answering_once(bytes));
    AsyncClient client(shard());
    return run(client.request(method, peer.url("/p?q")).as_result()).value();
  }
};

TEST_F(ResponseTest, Parts) {
  Response response = fetch(
      "HTTP/1.1 201 Made It\r\nX-A: 1\r\nx-a: 2\r\nContent-Type: text/plain\r\nContent-Length: "
      "5\r\n\r\nhello");
  EXPECT_EQ(response.status(), 201);
  EXPECT_EQ(response.reason(), "Made It");
  EXPECT_EQ(response.http_version(), "HTTP/1.1");
  EXPECT_EQ(response.headers().get("x-a"), "1, 2");
  EXPECT_EQ(response.headers()[0].name, "X-A");
  EXPECT_EQ(response.content(), "hello");
  EXPECT_EQ(response.text(), "hello");
  EXPECT_EQ(response.num_bytes_downloaded(), 5U);
  EXPECT_EQ(response.url().raw_path(), "/p?q");
  EXPECT_TRUE(response.trailers().empty());
  EXPECT_GT(response.elapsed(), 0ns);
  EXPECT_LT(response.elapsed(), kPatience);
}

TEST_F(ResponseTest, OutlivesItsClientAndMayMoveToAnotherThread) {
  std::optional<Response> kept(fetch(ok_response("kept", "A: b\r\n")));
  std::thread([response = std::move(*kept)]() mutable {
    Response moved = std::move(response);
    EXPECT_EQ(moved.content(), "kept");
    EXPECT_EQ(moved.headers().first("a"), "b");
  }).join();
}

TEST_F(ResponseTest, Framings) {
  struct Row {
    const char* name;
    std::string bytes;
    std::string body;
    const char* version = "HTTP/1.1";
    Method method = Method::Get;
  };
  const std::string head_only = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  for (const Row& row : std::vector<Row>{
           {"counted", head_only + "hello", "hello"},
           {"until close", "HTTP/1.1 200 OK\r\n\r\nhello", "hello"},
           {"HTTP/1.0 until close", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", "HTTP/1.0"},
           {"HTTP/1.0 counted", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", "HTTP/1.0"},
           {"chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"},
           {"HEAD", head_only, "", "HTTP/1.1", Method::Head},
           {"HEAD chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", "HTTP/1.1",
            Method::Head},
           {"204", "HTTP/1.1 204 No Content\r\n\r\n", ""},
           {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ""},
           {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""},
           {"after 100, 102 and 103",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: "
            "x\r\n\r\n" +
                head_only + "hello",
            "hello"},
       }) {
    SCOPED_TRACE(row.name);
    Response response = fetch(row.bytes, row.method);
    EXPECT_EQ(response.content(), row.body);
    EXPECT_EQ(response.http_version(), row.version);
    EXPECT_FALSE(response.headers().contains("link"));
  }
}

TEST_F(ResponseTest, Trailers) {
  Response response = fetch(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: head\r\n\r\n2\r\nhi\r\n0\r\nX: trailer\r\nY: "
      "z\r\n\r\n");
  EXPECT_EQ(response.headers().get("x"), "head");
  EXPECT_EQ(response.trailers().get("x"), "trailer");
  EXPECT_EQ(response.trailers().get("y"), "z");
}

TEST_F(ResponseTest, LargeBodies) {
  for (std::size_t size : {16'384U, 100'000U, 3'000'000U, 30'000'000U}) {
    std::string body = patterned_bytes(size);
    Response response = fetch(ok_response(body));
    EXPECT_TRUE(response.content() == body) << size;
    std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0, chunk = 1; at < size; at += chunk, chunk = chunk * 3 % 100'003) {
      char line[32];
      std::snprintf(line, sizeof(line), "%zx\r\n", std::min(chunk, size - at));
      chunked += line + body.substr(at, chunk) + "\r\n";
    }
    EXPECT_TRUE(fetch(chunked + "0\r\n\r\n").content() == body) << size;
  }
}

TEST_F(ResponseTest, TextIsUtf8WhateverCame) {
  struct Row {
    std::string_view bytes, text;
  };
  // The replaced parts are those of Unicode 15, 3.9; the texts are what Python's
  // bytes.decode(errors="replace") gives.
  for (const Row& row : std::vector<Row>{
           {"plain", "plain"},
           {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
           {"a\0b"sv, "a\0b"sv},
           {"\xEF\xBB\xBFx", "\xEF\xBB\xBFx"},
           {"\xFF", "\xEF\xBF\xBD"},
           {"a\x80z", "a\xEF\xBF\xBDz"},
           {"\xC3", "\xEF\xBF\xBD"},
           {"\xC3(", "\xEF\xBF\xBD("},
           {"\xE2\x82", "\xEF\xBF\xBD"},
           {"\xE2\x82z", "\xEF\xBF\xBDz"},
           {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
           {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
           {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
           {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
           {"\xF5", "\xEF\xBF\xBD"},
       }) {
    EXPECT_EQ(fetch(ok_response(row.bytes)).text(), row.text) << ::testing::PrintToString(row.bytes);
    EXPECT_EQ(fetch(ok_response(row.bytes)).content(), row.bytes);
  }
}

TEST_F(ResponseTest, StatusClassesAndWhatTheyRaise) {
  struct Row {
    int status;
    const char* reason;
    const char* fields;
    const char* text;  // of the error, before "for url"; nullptr: none
    const char* location;
  };
  for (const Row& row : std::vector<Row>{
           {200, "OK", "", nullptr, ""},
           {299, "", "", nullptr, ""},
           {301, "Moved Permanently", "Location: /x\r\n", "Redirect response '301 Moved Permanently'",
            "\nRedirect location: '/x'"},
           {304, "Not Modified", "", "Redirect response '304 Not Modified'", ""},
           {404, "Not Found", "", "Client error '404 Not Found'", ""},
           {404, "Not Found", "Location: /x\r\n", "Client error '404 Not Found'", ""},
           {503, "Service Unavailable", "", "Server error '503 Service Unavailable'", ""},
           {600, "What", "", "Invalid status code '600 What'", ""},
       }) {
    std::string code = std::to_string(row.status);
    SCOPED_TRACE(code);
    Response response =
        fetch("HTTP/1.1 " + code + " " + row.reason + "\r\n" + row.fields + "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(response.is_success(), row.status / 100 == 2);
    EXPECT_EQ(response.is_redirect(), row.status / 100 == 3);
    EXPECT_EQ(response.is_client_error(), row.status / 100 == 4);
    EXPECT_EQ(response.is_server_error(), row.status / 100 == 5);
    EXPECT_EQ(response.is_error(), row.status / 100 == 4 || row.status / 100 == 5);
    if (row.text == nullptr) {
      EXPECT_NO_THROW(response.raise_for_status());
      continue;
    }
    try {
      response.raise_for_status();
      ADD_FAILURE() << "raised nothing";
    } catch (const HTTPStatusError& error) {
      EXPECT_EQ(error.facts().message, row.text + (" for url '" + std::string(response.url().str())) + "'" +
                                           row.location +
                                           "\nFor more information check: "
                                           "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/" +
                                           code);
    }
  }
}

TEST_F(ResponseTest, SwitchingProtocolsAndConnectAreNotOurBusiness) {
  // A 101 that was not asked for, and a tunnel that nobody would read from, must not end in a hang or in
  // wrong bytes.
  Peer upgrade(
      Peer::answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nproto"));
  AsyncClient client(shard());
  EXPECT_EQ(outcome_of(get(client, upgrade.url())), "RemoteProtocolError in head");
  Peer tunnel(Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  auto result = run(client.request("CONNECT", tunnel.url()).as_result());
  EXPECT_EQ(outcome_of(result), "LocalProtocolError in setup");
}

}  // namespace
}  // namespace sluice
