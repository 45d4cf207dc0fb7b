// SPDX-License-Identifier: MIT
// The server over plain sockets: what it answers, and that nothing a client does harms it.
#include "engine/server/server.hpp"

#include <atomic>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/server/server_thread.hpp"

namespace sluice {
namespace {

using namespace testing;
using server::Request;
using server::Responder;
using server::Server;
using server::ServerOptions;

class ServerTest : public ::testing::Test {
 private:
  Watchdog watchdog_;
};

// ---- routes

struct Exchange {
  std::string request;
  int status;
  std::string body;  // expected to begin so
};

TEST_F(ServerTest, StandardRoutes) {
  ServerThread server;
  RawClient client(server.address());
  const std::vector<Exchange> exchanges = {
      {get_request("/"), 200, "<!DOCTYPE html>"},
      {get_request("/?query=1"), 200, "<!DOCTYPE html>"},
      {get_request("http://test/"), 200, "<!DOCTYPE html>"},
      {get_request("http://test?query"), 200, "<!DOCTYPE html>"},
      {get_request("/nothing"), 404, "404 Not Found\n"},
      {get_request("/statuses"), 404, "404 Not Found\n"},
      {get_request("*"), 404, "404 Not Found\n"},
      {get_request("/status/200"), 200, "200 OK\n"},
      {get_request("/status/418"), 418, "418 I'm a teapot\n"},
      {get_request("/status/999"), 999, "999 Unknown\n"},
      {get_request("/status/100"), 400, "400"},
      {get_request("/status/x"), 400, "400"},
      {get_request("/status"), 400, "400"},
      {get_request("/bytes/5"), 200, "01234"},
      {get_request("/bytes/0"), 200, ""},
      {get_request("/bytes/1000000000001"), 400, "400"},
      {get_request("/bytes/-1"), 400, "400"},
      {get_request("/delay/1"), 200, "waited 1 ms\n"},
      {get_request("/delay/soon"), 400, "400"},
      {get_request("/chunked/x"), 400, "400"},
      {get_request("/gzip/10"), 200, "\x1f\x8b"},
      {get_request("/gzip/1000000000"), 400, "400"},
      {get_request("/redirect/2"), 302, "302 Found\n"},
      {get_request("/redirect/0"), 200, "arrived\n"},
      {get_request("/redirect/x"), 400, "400"},
      {get_request("/headers", "X-A: 1\r\n"), 200, "GET /headers HTTP/1.1\nHost: test\nX-A: 1\n"},
      {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
      {"POST /delay/1 HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
      {"PUT /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       200, "abc"},
      {"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab", 405, "405 Method Not Allowed\n"},
      {"DELETE /bytes/1 HTTP/1.1\r\nHost: t\r\n\r\n", 405, "405 Method Not Allowed\n"},
  };
  for (const Exchange& exchange : exchanges) {
    ReceivedResponse response = client.ask(exchange.request);
    EXPECT_EQ(response.status(), exchange.status) << exchange.request;
    EXPECT_EQ(response.body.substr(0, exchange.body.size()), exchange.body) << exchange.request;
    EXPECT_EQ(response.field("connection"), "-") << exchange.request;
    EXPECT_NE(response.field("date"), "-");
  }
}

TEST_F(ServerTest, BytesOfEverySize) {
  ServerThread server;
  RawClient client(server.address());
  for (std::size_t size : {1U, 16384U, 16385U, 262143U, 262144U, 262145U, 3000000U}) {
    ReceivedResponse response = client.ask(get_request("/bytes/" + std::to_string(size)));
    ASSERT_EQ(response.body.size(), size);
    EXPECT_EQ(response.body.substr(0, 10), std::string("0123456789").substr(0, size));
  }
}

TEST_F(ServerTest, EchoKeepsTheContentType) {
  ServerThread server;
  RawClient client(server.address());
  auto response =
      client.ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Type: text/x\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(response.field("content-type"), "text/x");
  EXPECT_EQ(response.field("x-method"), "POST");
}

TEST_F(ServerTest, HeadHasTheHeadOfGet) {
  ServerThread server;
  RawClient client(server.address());
  auto head = [](std::string_view path) {
    return "HEAD " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n";
  };
  EXPECT_EQ(client.ask(head("/bytes/100")).field("content-length"), "100");
  EXPECT_EQ(client.ask(head("/bytes/1000000000000")).field("content-length"), "1000000000000");
  EXPECT_EQ(client.ask(head("/chunked/5")).field("transfer-encoding"), "chunked");
  EXPECT_EQ(client.ask(get_request("/bytes/3")).body, "012") << "the connection is still in step";
}

TEST_F(ServerTest, ResponsesWithoutBody) {
  ServerThread server;
  RawClient client(server.address());
  for (const char* path : {"/status/204", "/status/304"}) {
    ReceivedResponse response = client.ask(get_request(path));
    EXPECT_EQ(response.field("transfer-encoding"), "-");
    EXPECT_EQ(client.ask(get_request("/bytes/3")).body, "012") << path;
  }
}

TEST_F(ServerTest, Chunks) {
  ServerThread server;
  RawClient client(server.address());
  client.send(get_request("/chunked/2", "Connection: close\r\n"));
  EXPECT_EQ(client.read_response().field("transfer-encoding"), "chunked");
  EXPECT_EQ(client.read_to_end(), "8\r\nchunk 0\n\r\n8\r\nchunk 1\n\r\n0\r\n\r\n");
}

TEST_F(ServerTest, MethodsThatARouteAllows) {
  ServerThread server;
  RawClient client(server.address());
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n").field("allow"),
            "GET, HEAD");
  EXPECT_EQ(client.ask("GE / HTTP/1.1\r\nHost: t\r\n\r\n").status(), 400) << "llhttp knows its methods";
}

// ---- connections

TEST_F(ServerTest, KeepAliveAndItsEnd) {
  ServerThread server;
  {
    RawClient client(server.address());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask(get_request("/bytes/1")).body, "0");
    EXPECT_EQ(server.connections(), 1U);
    EXPECT_EQ(client.ask(get_request("/bytes/1", "Connection: close\r\n")).field("connection"), "close");
    EXPECT_EQ(client.read(1), "");
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(ServerTest, Http10) {
  ServerThread server;
  {
    RawClient client(server.address());
    auto response = client.ask("GET /bytes/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(response.field("connection"), "keep-alive");
    EXPECT_EQ(client.ask("GET /bytes/1 HTTP/1.0\r\n\r\n").field("connection"), "close");
    EXPECT_EQ(client.read(1), "");
  }
  RawClient client(server.address());
  client.send("GET /chunked/2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ReceivedResponse response = client.read_response();
  EXPECT_EQ(response.field("transfer-encoding"), "-");
  EXPECT_EQ(response.field("connection"), "close");
  EXPECT_EQ(client.read_to_end(), "chunk 0\nchunk 1\n");
}

std::string without_dates(std::string text) {
  for (std::size_t at; (at = text.find("Date: ")) != std::string::npos;)
    text.erase(at, text.find('\n', at) - at + 1);
  return text;
}

TEST_F(ServerTest, PipelinesSplitAtEveryByte) {
  ServerThread server;
  const std::string requests =
      get_request("/bytes/2") + "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc" +
      "PUT /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n" +
      get_request("/delay/0") + get_request("/chunked/1", "Connection: close\r\n");
  std::string expected;
  for (std::size_t cut = 0; cut < requests.size(); ++cut) {
    RawClient client(server.address());
    client.send(requests.substr(0, cut));
    client.send(requests.substr(cut));
    std::string responses = without_dates(client.read_to_end());
    if (cut == 0) expected = responses;
    ASSERT_EQ(responses, expected) << "cut at " << cut;
  }
  EXPECT_TRUE(expected.ends_with("8\r\nchunk 0\n\r\n0\r\n\r\n"));
}

TEST_F(ServerTest, ManyPipelinedRequestsAreAnsweredInOrder) {
  ServerThread server;
  RawClient client(server.address());
  constexpr int kRequests = 20000;  // their responses do not fit into the sockets' buffers
  std::thread sender([&] {
    for (int i = 0; i < kRequests; ++i) client.send(get_request("/bytes/" + std::to_string(i % 1000)));
  });
  for (int i = 0; i < kRequests; ++i) {
    if (client.read_response().body.size() != static_cast<std::size_t>(i % 1000)) {
      ADD_FAILURE() << "response " << i;
      break;
    }
  }
  sender.join();
}

TEST_F(ServerTest, AClientThatHasSentFinIsAnswered) {
  ServerThread server;
  RawClient client(server.address());
  client.send(get_request("/delay/5") + get_request("/bytes/2"));
  client.half_close();
  EXPECT_EQ(client.read_response().body, "waited 5 ms\n");
  EXPECT_EQ(client.read_response().body, "01");
  EXPECT_EQ(client.read(1), "");
}

// ---- bodies

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

TEST_F(ServerTest, ExpectContinue) {
  ServerThread server;
  RawClient client(server.address());
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
  for (int i = 0; i < 2; ++i) {
    client.send(head);
    EXPECT_EQ(client.read_head(), kContinue);
    EXPECT_EQ(client.ask("abc").body, "abc");
  }
  EXPECT_EQ(client.ask(head + "abc").status(), 200) << "the body is there already";
  client.send("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.read_head(), kContinue);
  EXPECT_EQ(client.ask("1\r\na\r\n0\r\n\r\n").body, "a");
}

TEST_F(ServerTest, ABodyBeyondTheLimitIsRefused) {
  ServerOptions options;
  options.max_body_bytes = 10;
  ServerThread server(options);
  const std::string post = "POST /echo HTTP/1.1\r\nHost: t\r\n";
  {
    RawClient client(server.address());
    EXPECT_EQ(client.ask(post + "Content-Length: 10\r\n\r\n0123456789").body, "0123456789");
    EXPECT_EQ(client.ask(post + "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n").status(), 413);
  }
  {
    RawClient client(server.address());
    std::thread sender(
        [&] { client.send(post + "Content-Length: 5000000\r\n\r\n" + std::string(5000000, 'x')); });
    EXPECT_EQ(client.read_response().status(), 413) << "not lost to a reset";
    sender.join();
  }
  RawClient client(server.address());
  EXPECT_EQ(client.ask(post + "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n").status(),
            413);
}

// ---- what is wrong

TEST_F(ServerTest, MalformedRequestsAreRefusedAndTheConnectionCloses) {
  ServerThread server;
  for (const char* request : {
           "\x16\x03\x01 no HTTP\r\n\r\n",
           "GET /\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: t\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: t\r\nBad Name: x\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       }) {
    RawClient client(server.address());
    ReceivedResponse response = client.ask(request);
    EXPECT_EQ(response.status(), 400) << request;
    EXPECT_EQ(response.field("connection"), "close");
  }
}

TEST_F(ServerTest, AHeadBeyondTheLimitIsRefused) {
  ServerOptions options;
  options.reader_limits.max_head_bytes = 1000;
  ServerThread server(options);
  RawClient client(server.address());
  EXPECT_EQ(client.ask(get_request("/bytes/1", "X: " + std::string(900, 'x') + "\r\n")).status(), 200);
  EXPECT_EQ(client.ask(get_request("/bytes/1", "X: " + std::string(1000, 'x') + "\r\n")).status(), 400);
}

TEST_F(ServerTest, HandlersThatFail) {
  auto set_up = [](Server& server) {
    server.route("/throws", [](Request&, Responder&) -> Task<void> {
      co_await yield();
      throw std::runtime_error("on purpose");
    });
    server.route("/silent", [](Request&, Responder&) -> Task<void> { co_return; });
    server.route("/splits", [](Request&, Responder& responder) -> Task<void> {
      responder.header("X", "a\r\nY: b").answer(200);
      co_return;
    });
    server.route("/short", [](Request&, Responder& responder) -> Task<void> {
      responder.begin(200, "", 10);
      co_await responder.send("12345");
    });
    server.route("/long", [](Request&, Responder& responder) -> Task<void> {
      responder.begin(200, "", 3);
      co_await responder.send("123");
      co_await responder.send("4");
    });
  };
  ServerThread server({}, set_up);
  for (const char* path : {"/throws", "/silent", "/splits"}) {
    RawClient client(server.address());
    EXPECT_EQ(client.ask(get_request(path)).status(), 500) << path;
    EXPECT_EQ(client.read(1), "") << path;
  }
  for (const char* path : {"/short", "/long"}) {
    RawClient client(server.address());
    client.ask(get_request(path));
    EXPECT_EQ(client.read(1), "") << path;
  }
}

TEST_F(ServerTest, TheLongestRouteAnswers) {
  auto answering = [](const char* name) {
    return [name](Request& request, Responder& responder) -> Task<void> {
      std::string text =
          std::string(name) + ":" + std::string(request.rest()) + "?" + std::string(request.query());
      responder.answer(200, "", text);
      co_return;
    };
  };
  ServerThread server({}, [&](Server& routes) {
    routes.route("/a/b", answering("ab"));
    routes.route("/a", answering("a"));
    routes.route("/a/b/c", answering("abc"));
  });
  RawClient client(server.address());
  EXPECT_EQ(client.ask(get_request("/a/b/c/d?e")).body, "abc:d?e");
  EXPECT_EQ(client.ask(get_request("/a/b/x/y")).body, "ab:x/y?");
  EXPECT_EQ(client.ask(get_request("/a/bc")).body, "a:bc?");
  EXPECT_EQ(client.ask(get_request("/a")).body, "a:?");
}

// ---- clients that are slow or go away

TEST_F(ServerTest, ASlowReaderGetsEverythingAndHoldsUpNobody) {
  ServerThread server;
  RawClient slow(server.address());
  constexpr std::size_t kSize = 30'000'000;  // more than the sockets' buffers
  slow.send(get_request("/bytes/" + std::to_string(kSize)));
  slow.read_head();
  RawClient quick(server.address());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(quick.ask(get_request("/delay/2")).status(), 200);
  EXPECT_EQ(slow.read(kSize).size(), kSize);
}

TEST_F(ServerTest, AClientThatDoesNotReadIsDropped) {
  ServerOptions options;
  options.write_timeout = 50ms;
  ServerThread server(options);
  RawClient client(server.address());
  client.send(get_request("/bytes/1000000000000"));
  client.read_head();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(ServerTest, IdleAndTricklingConnectionsAreClosed) {
  ServerOptions options;
  options.idle_timeout = options.request_timeout = 30ms;
  ServerThread server(options);
  RawClient idle(server.address());
  RawClient trickling(server.address());
  trickling.send("GET / HT");
  EXPECT_EQ(idle.read(1), "");
  EXPECT_EQ(trickling.read(1), "");
}

TEST_F(ServerTest, AHandlerIsCancelledWhenItsClientIsGone) {
  std::atomic<int> running{0};
  auto set_up = [&running](Server& server) {
    server.route("/endless", [&running](Request&, Responder& responder) -> Task<void> {
      struct Count {
        explicit Count(std::atomic<int>& count) : counter(count) { ++counter; }
        ~Count() { --counter; }
        std::atomic<int>& counter;
      } count(running);
      responder.begin(200, "");
      for (;;) co_await responder.send("more");
    });
  };
  ServerThread server({}, set_up);
  {
    RawClient client(server.address());
    client.send(get_request("/endless"));
    client.read_head();
    EXPECT_EQ(running, 1);
  }
  EXPECT_TRUE(eventually([&] { return running == 0 && server.connections() == 0; }));
}

/// Leaves with FIN or with RST.
void leave(RawClient& client, bool reset) {
  reset ? client.reset() : client.close();
}

TEST_F(ServerTest, ClientsMayLeaveAtEveryByteOfARequest) {
  ServerThread server;
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked"
      "\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    for (bool reset : {false, true}) {
      RawClient client(server.address());
      client.send(request.substr(0, cut));
      leave(client, reset);
    }
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(ServerTest, ClientsMayLeaveAtEveryByteOfAResponse) {
  ServerThread server;
  std::size_t size = RawClient(server.address()).ask(get_request("/bytes/20")).head.size() + 20;
  for (std::size_t cut = 0; cut <= size; ++cut) {
    for (bool reset : {false, true}) {
      RawClient client(server.address());
      client.send(get_request("/bytes/20") + get_request("/bytes/1000000"));
      client.read(cut);
      leave(client, reset);
    }
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

// ---- the end

TEST_F(ServerTest, StoppingLetsResponsesFinish) {
  ServerThread server;
  RawClient idle(server.address());
  RawClient used(server.address());
  RawClient busy(server.address());
  used.ask(get_request("/bytes/1"));
  busy.send(get_request("/delay/100"));
  ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));
  server.begin_stop(kPatience);
  EXPECT_EQ(idle.read(1), "");
  EXPECT_EQ(used.read(1), "");
  EXPECT_EQ(busy.read_response().body, "waited 100 ms\n");
  EXPECT_EQ(busy.read(1), "");
  server.stop(0ms);
}

TEST_F(ServerTest, StoppingEndsWhatDoesNotFinish) {
  ServerThread server;
  RawClient waiting(server.address());
  RawClient endless(server.address());
  RawClient half(server.address());
  waiting.send(get_request("/delay/80000000"));
  endless.send(get_request("/bytes/1000000000000"));
  endless.read_head();
  half.send("GET / HTTP/1.1\r\nHo");
  ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));
  server.stop(20ms);
  EXPECT_EQ(waiting.read(1), "");
  EXPECT_EQ(half.read(1), "");
}

TEST_F(ServerTest, TheLoopMayEndBeforeTheServer) {
  std::optional<Shard> shard(std::in_place);
  Server server(shard->loop());
  server::add_standard_routes(server);
  net::Address address = shard->block_on(
      [](Server& its) -> Task<net::Address> { co_return its.listen(loopback()).value(); }(server));
  RawClient client(address);
  client.send(get_request("/delay/80000000"));
  shard->block_on([](Server& its) -> Task<void> {
    while (its.connections() == 0) co_await sleep_for(200us);
  }(server));
  shard.reset();
  EXPECT_EQ(client.read(1), "");
}

// ---- other clients

TEST_F(ServerTest, OurClient) {
  ServerThread server;
  Shard shard;
  shard.block_on([](const ServerThread& its) -> Task<void> {
    AsyncClient client;
    auto echoed = co_await client.post(its.url("/echo")).content(std::string(3'000'000, 'x'));
    EXPECT_EQ(echoed.content().size(), 3'000'000U);
    auto chunks = co_await client.get(its.url("/chunked/1000"));
    EXPECT_TRUE(chunks.content().ends_with("chunk 999\n"));
    EXPECT_GT(chunks.num_bytes_received(), chunks.num_bytes_downloaded());
    auto missing = co_await client.get(its.url("/nowhere"));
    EXPECT_EQ(missing.status(), 404);
    EXPECT_EQ(client.pool_stats().opened, 1U);
  }(server));
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  for (int c; (c = std::fgetc(pipe)) != EOF;) output += static_cast<char>(c);
  pclose(pipe);
  return output;
}

TEST_F(ServerTest, Curl) {
  if (output_of("command -v curl").empty()) GTEST_SKIP() << "there is no curl";
  ServerThread server;
  const std::string curl = "curl -sS --max-time 20 2>&1 ";
  EXPECT_EQ(output_of(curl + server.url("/bytes/5") + " " + server.url("/status/404")),
            "01234404 Not Found\n");
  EXPECT_EQ(output_of(curl + "-d a=b " + server.url("/echo")), "a=b");
  EXPECT_EQ(output_of(curl + "--http1.0 " + server.url("/chunked/2")), "chunk 0\nchunk 1\n");
  EXPECT_EQ(output_of("head -c 3000000 /dev/zero | " + curl + "-H 'Expect: 100-continue' -T - " +
                      server.url("/echo") + " | wc -c"),
            "3000000\n");
}

}  // namespace
}  // namespace sluice
