// SPDX-License-Identifier: MIT
// What a client puts on the wire, and what it refuses to put there.
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class RequestTest : public ShardTest {
 protected:
  /// Sends a request and gives what the peer has read.
  ReceivedRequest wire(AsyncClient& client, Request request) {
    auto response = run(client.send(std::move(request)).as_result());
    EXPECT_TRUE(response) << response.error().what();
    return log_.last();
  }
  ReceivedRequest wire(RequestBuilder builder) {
    auto response = run(std::move(builder).as_result());
    EXPECT_TRUE(response) << response.error().what();
    return log_.last();
  }

  RequestLog log_;
};

TEST_F(RequestTest, DefaultFieldsInTheirOrder) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  EXPECT_EQ(wire(client.get(peer.url("/a?b=c"))).head,
            "GET /a?b=c HTTP/1.1\r\nHost: " + peer.authority() +
                "\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: "
                "keep-alive\r\nUser-Agent: sluice/0.1.0\r\n\r\n");
}

TEST_F(RequestTest, Methods) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  std::string url = peer.url("/m");
  EXPECT_EQ(wire(client.get(url)).line(), "GET /m HTTP/1.1");
  EXPECT_EQ(wire(client.options(url)).line(), "OPTIONS /m HTTP/1.1");
  EXPECT_EQ(wire(client.head(url)).line(), "HEAD /m HTTP/1.1");
  EXPECT_EQ(wire(client.post(url)).line(), "POST /m HTTP/1.1");
  EXPECT_EQ(wire(client.put(url)).line(), "PUT /m HTTP/1.1");
  EXPECT_EQ(wire(client.patch(url)).line(), "PATCH /m HTTP/1.1");
  EXPECT_EQ(wire(client.delete_(url)).line(), "DELETE /m HTTP/1.1");
  EXPECT_EQ(wire(client.request("propfind", url)).line(), "PROPFIND /m HTTP/1.1");
}

TEST_F(RequestTest, LengthIsStatedForBodiesAndForMethodsThatUsuallyHaveOne) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  std::string url = peer.url();
  EXPECT_EQ(wire(client.get(url)).field("content-length"), "-");
  EXPECT_EQ(wire(client.delete_(url)).field("content-length"), "-");
  EXPECT_EQ(wire(client.post(url)).field("content-length"), "0");
  EXPECT_EQ(wire(client.put(url)).field("content-length"), "0");
  EXPECT_EQ(wire(client.patch(url)).field("content-length"), "0");
  EXPECT_EQ(wire(client.get(url).content("abc")).field("content-length"), "3");
  EXPECT_EQ(wire(client.delete_(url).content("abcd")).body, "abcd");
}

TEST_F(RequestTest, FieldsAreReplacedAddedAndRemoved) {
  Peer peer(log_.answering());
  AsyncClient client(
      shard(),
      ClientOptions().header("accept", "text/html").header("X-Client", "1").without_header("User-Agent"));
  auto request = wire(client.get(peer.url())
                          .header("x-client", "2")
                          .add_header("X-Many", "a")
                          .add_header("X-Many", "b")
                          .header("X-Empty", "")
                          .without_header("CONNECTION"));
  EXPECT_EQ(request.field("accept"), "text/html");
  EXPECT_EQ(request.field("x-client"), "2");
  EXPECT_EQ(request.field("x-many"), "a|b");
  EXPECT_EQ(request.field("x-empty"), "");
  EXPECT_EQ(request.field("user-agent"), "-");
  EXPECT_EQ(request.field("connection"), "-");
  EXPECT_EQ(wire(client.get(peer.url()).header("Host", "other.example")).field("host"), "other.example");
  EXPECT_EQ(wire(client.get(peer.url()).without_header("Host")).field("host"), peer.authority());
}

TEST_F(RequestTest, RequestMadeByHandGetsOnlyWhatHttpDemands) {
  Peer peer(log_.answering());
  AsyncClient client(shard(), ClientOptions().header("X-Client", "1"));
  EXPECT_EQ(wire(client, Request::post(peer.url("/x")).header("A", "b").content("hi")).head,
            "POST /x HTTP/1.1\r\nHost: " + peer.authority() + "\r\nA: b\r\nContent-Length: 2\r\n\r\n");
}

TEST_F(RequestTest, OneRequestManyTimes) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  Request request = client.build_request(Method::Post, peer.url()).content("again");
  std::string first = wire(client, request).head;
  EXPECT_EQ(wire(client, request).head, first);
  EXPECT_EQ(log_.last().body, "again");
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(RequestTest, QueryParameters) {
  Peer peer(log_.answering());
  AsyncClient plain(shard());
  auto target = [&](RequestBuilder builder) {
    std::string line = wire(std::move(builder)).line();
    return line.substr(4, line.size() - 13);
  };
  EXPECT_EQ(target(plain.get(peer.url("/p?z=9"))), "/p?z=9");
  EXPECT_EQ(target(plain.get(peer.url("/p?z=9")).query("a", "1")),
            "/p?a=1");  // HTTPX's rule: they replace it
  EXPECT_EQ(target(plain.get(peer.url()).query("a", "1 2&").query("a", "\xC3\xA4")), "/?a=1+2%26&a=%C3%A4");
  EXPECT_EQ(target(plain.get(peer.url()).query("a\r\nb", std::string_view("\0", 1))), "/?a%0D%0Ab=%00");

  AsyncClient client(shard(), ClientOptions().query("key", "k").query("a", "client"));
  EXPECT_EQ(target(client.get(peer.url("/p?z=9"))), "/p?key=k&a=client");
  EXPECT_EQ(target(client.get(peer.url("/p?z=9")).query("a", "request")), "/p?key=k&a=request");
}

TEST_F(RequestTest, FragmentAndUserinfoStayAtHome) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  auto request = wire(client.get("http://user:secret@" + peer.authority() + "/p?q#fragment"));
  EXPECT_EQ(request.line(), "GET /p?q HTTP/1.1");
  EXPECT_EQ(request.field("host"), peer.authority());
  EXPECT_EQ(request.head.find("secret"), std::string::npos);
}

TEST_F(RequestTest, BaseUrlIsAppendedTo) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/base_url_merge.json");
  int rows = 0;
  for (const auto& row : nlohmann::json::parse(file)) {
    std::string base = row["base_url"], url = row["url"], expected = row["result"];
    SCOPED_TRACE(base + " + " + url);
    ++rows;
    if (base.find('?') != std::string::npos) {  // HTTPX glues them together; we refuse
      EXPECT_THROW(ClientOptions().base_url(base), InvalidURL);
      continue;
    }
    if (base.empty()) {
      AsyncClient client(shard());
      EXPECT_EQ(outcome_of(run(client.get(url).as_result())), "UnsupportedProtocol in setup");
      continue;
    }
    AsyncClient client(shard(), ClientOptions().base_url(base));
    EXPECT_EQ(client.build_request(Method::Get, url).url().str(), expected);
  }
  EXPECT_GT(rows, 5);
}

TEST_F(RequestTest, BaseUrlsThatAreRefused) {
  for (const char* url : {"/relative", "http://", "http://h/?q=1", "http://h/#f", "http://h h/", "mailto:x"})
    EXPECT_THROW(ClientOptions().base_url(url), InvalidURL) << url;
}

TEST_F(RequestTest, RelativeUrlOfARequestMadeByHandUsesTheBase) {
  Peer peer(log_.answering());
  AsyncClient client(shard(), ClientOptions().base_url(peer.url("/api")));
  EXPECT_EQ(wire(client, Request::get("x?y=1")).line(), "GET /api/x?y=1 HTTP/1.1");
  EXPECT_EQ(wire(client, Request::get(peer.url("/else"))).line(), "GET /else HTTP/1.1");
}

TEST_F(RequestTest, BodiesOfAllSizesArriveWhole) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  for (std::size_t size : {1U, 100U, 8191U, 8192U, 8193U, 65536U, 1'000'003U}) {
    std::string body = patterned_bytes(size);
    EXPECT_TRUE(wire(client.post(peer.url()).content(body)).body == body) << size;
  }
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(RequestTest, LargeBodyToASlowReader) {
  const std::string body = patterned_bytes(10'500'000);
  Peer peer([&](PeerConnection& connection) {
    connection.shrink_receive_buffer(64 * 1024);
    ReceivedRequest request;
    request.head = connection.read_head();
    while (request.body.size() < body.size()) request.body += connection.read(70'000);
    log_.add(std::move(request));
    connection.send(ok_response());
  });
  AsyncClient client(shard());
  EXPECT_TRUE(wire(client.post(peer.url()).content(body).timeout(kPatience)).body == body);
}

// ---- what may not go on the wire

TEST_F(RequestTest, InjectionReachesNoWire) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  // One connection exists, so that a refused request could even be sent without connecting.
  ASSERT_TRUE(get(client, peer.url()));
  for (std::string_view bad : {"a\r\nb: c"sv, "a\nb"sv, "a\rb"sv, "a\0b"sv, "a\x01"sv, "a\x7F"sv}) {
    SCOPED_TRACE(::testing::PrintToString(bad));
    auto outcome = [&](RequestBuilder builder) {
      auto result = run(std::move(builder).as_result());
      return outcome_of(result);
    };
    EXPECT_EQ(outcome(client.get(peer.url()).header("X", bad)), "LocalProtocolError in setup");
    EXPECT_EQ(outcome(client.get(peer.url()).add_header("X", bad)), "LocalProtocolError in setup");
    EXPECT_EQ(outcome(client.get(peer.url()).header(bad, "x")), "LocalProtocolError in setup");
    EXPECT_EQ(outcome(client.request(Method(bad), peer.url())), "LocalProtocolError in setup");
    EXPECT_EQ(outcome(client.get(peer.url("/" + std::string(bad)))), "InvalidURL in setup");
    EXPECT_EQ(outcome(client.get("http://" + std::string(bad) + "/")), "InvalidURL in setup");
    AsyncClient with_field(shard(), ClientOptions().header("X", bad));
    EXPECT_EQ(outcome(with_field.get(peer.url())), "LocalProtocolError in setup");
  }
  expect_quiet(client);
  EXPECT_EQ(log_.size(), 1U);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(RequestTest, RequestsThatHttpDoesNotAllowAreRefused) {
  struct Row {
    const char* what;
    Method method;
    std::vector<std::pair<const char*, const char*>> fields;
    const char* body;
  };
  const std::vector<Row> rows = {
      {"empty method", "", {}, ""},
      {"method with a blank", "GE T", {}, ""},
      {"method that is too long", "ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB", {}, ""},
      {"empty name", "GET", {{"", "x"}}, ""},
      {"name with a blank", "GET", {{"X Y", "x"}}, ""},
      {"name with a colon", "GET", {{"X:", "x"}}, ""},
      {"name beyond ASCII", "GET", {{"\xC3\xA4", "x"}}, ""},
      {"blank before the value", "GET", {{"X", " x"}}, ""},
      {"blank behind the value", "GET", {{"X", "x "}}, ""},
      {"two lengths", "POST", {{"Content-Length", "1"}, {"Content-Length", "2"}}, "a"},
      {"length that is none", "POST", {{"Content-Length", "-1"}}, ""},
      {"length and coding", "POST", {{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}, "0\r\n\r\n"},
      {"coding that frames nothing", "POST", {{"Transfer-Encoding", "gzip"}}, "x"},
      // What is announced and what is sent must agree, or the peer takes the rest for the next request.
      {"length below the body's", "POST", {{"Content-Length", "1"}}, "ab"},
      {"length above the body's", "POST", {{"Content-Length", "3"}}, "ab"},
      {"length without a body", "GET", {{"Content-Length", "3"}}, ""},
      {"chunked in name only", "POST", {{"Transfer-Encoding", "chunked"}}, "ab"},
      {"two hosts", "GET", {{"Host", "a"}, {"Host", "b"}}, ""},
  };
  Peer peer(log_.answering());
  AsyncClient client(shard(), ClientOptions().timeout(2s));
  for (const Row& row : rows) {
    Request request(row.method, peer.url());
    for (auto [name, value] : row.fields) request.add_header(name, value);
    request.content(row.body);
    EXPECT_EQ(outcome_of(run(client.send(std::move(request)).as_result())), "LocalProtocolError in setup")
        << row.what;
  }
  EXPECT_EQ(peer.connections(), 0);
}

TEST_F(RequestTest, UrlsThatAreRefused) {
  struct Row {
    const char* url;
    const char* outcome;
  };
  AsyncClient client(shard());
  for (const Row& row : std::vector<Row>{
           {"ftp://localhost/", "UnsupportedProtocol in setup"},
           {"ftp://localhost/", "UnsupportedProtocol in setup"},
           {"mailto:someone", "UnsupportedProtocol in setup"},
           {"/relative", "UnsupportedProtocol in setup"},
           {"localhost", "UnsupportedProtocol in setup"},
           {"//localhost/", "UnsupportedProtocol in setup"},
           {"http://", "UnsupportedProtocol in setup"},
           {"", "UnsupportedProtocol in setup"},
           {"http://a b/", "InvalidURL in setup"},
           {"http://[::1/", "InvalidURL in setup"},
           {"http://localhost:65536/", "InvalidURL in setup"},
           {"http://localhost:x/", "InvalidURL in setup"},
       }) {
    EXPECT_EQ(outcome_of(run(client.get(row.url).as_result())), row.outcome) << row.url;
    EXPECT_EQ(outcome_of(run(client.send(Request::get(row.url)).as_result())), row.outcome) << row.url;
    EXPECT_EQ(outcome_of(run(client.stream(Method::Get, row.url).as_result())), row.outcome) << row.url;
  }
  EXPECT_EQ(shard().stats().open_sockets, 0U);
}

// ---- where it goes

TEST_F(RequestTest, HostNames) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  std::string port = std::to_string(peer.port());
  for (const char* host : {"localhost", "LOCALHOST", "sub.localhost", "localhost."})
    EXPECT_TRUE(get(client, "http://" + std::string(host) + ":" + port + "/")) << host;
}

TEST_F(RequestTest, Ipv6) {
  Peer peer(log_.answering(), loopback("::1"));
  AsyncClient client(shard());
  auto request = wire(client.get(peer.url("/six")));
  EXPECT_EQ(request.field("host"), "[::1]:" + std::to_string(peer.port()));
}

TEST_F(RequestTest, UnixSockets) {
  std::string name = "sluice-test-" + std::to_string(getpid());
  for (std::string path : {"@" + name, "/tmp/" + name + ".sock"}) {
    {
      Peer peer(log_.answering(), *net::Address::unix_socket(path));
      AsyncClient client(shard(), ClientOptions().unix_socket(path));
      EXPECT_EQ(wire(client.get("http://any.host.example:81/u")).field("host"), "any.host.example:81");
    }
    unlink(path.c_str());
  }
}

}  // namespace
}  // namespace sluice
