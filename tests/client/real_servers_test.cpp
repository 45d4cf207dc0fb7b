// SPDX-License-Identifier: MIT
// Servers that others wrote: nginx, Python's http.server, which speaks HTTP/1.0 and closes, and Node.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/support/encoders.hpp"
#include "tests/support/server_program.hpp"
#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;

class Nginx : public Server {
 public:
  static std::string binary() {
    return program_path(
        {"/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"});
  }
  explicit Nginx(std::string settings = "") : settings_(std::move(settings)) {}

 protected:
  std::vector<std::string> command() override {
    std::ofstream(folder_ + "/nginx.conf")
        << R"(
daemon off;
master_process off;
pid )" + folder_ +
               R"(/pid;
error_log )" + folder_ +
               R"(/errors;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path )" +
               folder_ + R"(/body;
  proxy_temp_path )" +
               folder_ + R"(/proxy;
  fastcgi_temp_path )" +
               folder_ + R"(/fastcgi;
  uwsgi_temp_path )" +
               folder_ + R"(/uwsgi;
  scgi_temp_path )" +
               folder_ + R"(/scgi;
  client_max_body_size 100m;
  types { text/plain txt; }
  )" + settings_ +
               R"(
  server {
    listen 127.0.0.1:)" +
               std::to_string(port_) + R"(;
    root )" + folder_ +
               R"(/files;
    location = /post { return 200 "posted\n"; }
    location = /moved { return 302 /there; }
    location = /nothing { return 204; }
    location /put/ { alias )" +
               folder_ +
               R"(/files/; dav_methods PUT; }
    # Only a filtered response of unknown length is chunked.
    location /chunked/ { alias )" +
               folder_ +
               R"(/files/; gzip on; gzip_min_length 1; gzip_types text/plain; gzip_http_version 1.0; }
  }
}
)";
    return {binary(), "-c", folder_ + "/nginx.conf", "-p", folder_, "-e", folder_ + "/errors"};
  }

 private:
  std::string settings_;
};

class PythonServer : public Server {
 public:
  static std::string binary() { return program_path({"/usr/bin/python3", "/usr/local/bin/python3"}); }

 protected:
  std::vector<std::string> command() override {
    return {binary(),
            "-u",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            folder_ + "/files",
            std::to_string(port_)};
  }
};

/// Chunked and coded bodies from a script of a few lines.
class NodeServer : public Server {
 public:
  static std::string binary() {
    return program_path({"/usr/bin/node", "/usr/bin/nodejs", "/usr/local/bin/node"});
  }

 protected:
  std::vector<std::string> command() override {
    write_file("server.js", R"(
const http = require('http'), zlib = require('zlib');
const lines = count => Array.from({length: count}, (_, i) => `{"line":${i}}\n`);
http.createServer((request, response) => {
  if (request.url === '/cut') {
    response.write('half');
    return setTimeout(() => response.destroy(), 20);
  }
  if (request.url === '/trailers') {
    response.writeHead(200, {trailer: 'x-count'});
    response.write('body');
    response.addTrailers({'x-count': '4'});
    return response.end();
  }
  const coders = {gzip: zlib.createGzip, deflate: zlib.createDeflate, raw: zlib.createDeflateRaw,
                  br: () => zlib.createBrotliCompress({params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 4}})};
  const name = request.url.slice(1);
  const coder = coders[name] && coders[name]();
  if (coder) {
    response.setHeader('content-encoding', name === 'raw' ? 'deflate' : name);
    coder.pipe(response);
  }
  const out = coder || response;
  for (const line of lines(5000)) out.write(line);
  out.end();
}).listen(+process.argv[2], '127.0.0.1');
)");
    return {binary(), folder_ + "/server.js", std::to_string(port_)};
  }
};

class NginxTest : public ShardTest {
 protected:
  void SetUp() override {
    if (Nginx::binary().empty()) GTEST_SKIP() << "nginx is not installed (package nginx-light)";
  }
};

TEST_F(NginxTest, FilesAndStatuses) {
  Nginx nginx;
  const std::string large = patterned_bytes(20'000'000);
  nginx.write_file("files/hello.txt", "hello from nginx\n");
  nginx.write_file("files/empty.txt", "");
  nginx.write_file("files/large.txt", large);
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard());
  auto check = [&](RequestBuilder builder, int status, std::string_view body) {
    auto response = run(std::move(builder).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->status(), status);
    EXPECT_TRUE(body == "*" || response->content() == body);
  };
  check(client.get(nginx.url("/hello.txt")), 200, "hello from nginx\n");
  check(client.get(nginx.url("/empty.txt")), 200, "");
  check(client.get(nginx.url("/large.txt")).timeout(kPatience), 200, large);
  check(client.head(nginx.url("/large.txt")), 200, "");
  check(client.get(nginx.url("/missing")), 404, "*");
  check(client.get(nginx.url("/moved")), 302, "*");
  check(client.get(nginx.url("/nothing")), 204, "");
  check(client.post(nginx.url("/post")).content("some body"), 200, "posted\n");
  check(client.post(nginx.url("/post")).content(patterned_bytes(5'000'000)).timeout(kPatience), 200,
        "posted\n");
  check(client.get(nginx.url("/hello.txt")).header("Range", "bytes=6-9"), 206, "from");
  // nginx answers the large upload before it has read it; every other request leaves the connection usable.
  EXPECT_LE(client.pool_stats().opened, 2U);
  check(client.request("BREW", nginx.url("/hello.txt")), 405, "*");
  check(client.get(nginx.url("/hello.txt")).header("X", std::string(50'000, 'x')), 400, "*");
  check(client.get(nginx.url("/hello.txt")), 200, "hello from nginx\n");
  expect_quiet(client);
}

TEST_F(NginxTest, ChunkedResponses) {
  Nginx nginx;
  const std::string page = patterned_bytes(300'000);
  nginx.write_file("files/a.txt", page);
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard());
  for (int i = 0; i < 3; ++i) {
    auto response =
        run(client.get(nginx.url("/chunked/a.txt")).header("Accept-Encoding", "gzip").as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->headers().first("transfer-encoding"), "chunked");
    EXPECT_EQ(response->headers().first("content-encoding"), "gzip");
    EXPECT_LT(response->num_bytes_downloaded(), response->content().size());
    EXPECT_TRUE(response->content() == page);
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

TEST_F(NginxTest, ManyAtOnce) {
  Nginx nginx;
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard(), ClientOptions().limits({.max_connections = 20}).timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<Task<Result<Response>>> requests;
    for (int i = 0; i < 500; ++i) requests.push_back(client.get(nginx.url("/hello.txt")).as_result());
    int good = 0;
    for (auto& response : co_await when_all(std::move(requests)))
      good += response && response->content() == "hello";
    EXPECT_EQ(good, 500);
  });
  EXPECT_EQ(client.pool_stats().opened, 20U);
  expect_quiet(client);
}

TEST_F(NginxTest, ServerThatClosesOften) {
  // nginx says "Connection: close" with the last response that it gives on a connection, so nothing is lost.
  Nginx nginx("keepalive_requests 3;");
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard());
  for (int i = 0; i < 30; ++i) {
    auto response = get(client, nginx.url("/hello.txt"));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "hello");
  }
  EXPECT_EQ(client.pool_stats().opened, 10U);
}

TEST_F(NginxTest, ServerThatGivesUpIdleConnections) {
  Nginx nginx("keepalive_timeout 100ms;");
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard());
  for (int i = 0; i < 3; ++i) {
    auto response = get(client, nginx.url("/hello.txt"));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }))
        << "the FIN was not noticed";
  }
  EXPECT_EQ(client.pool_stats().opened, 3U);
  expect_sockets(0);
}

TEST_F(NginxTest, StreamingALargeFile) {
  Nginx nginx;
  const std::string large = patterned_bytes(20'000'000);
  nginx.write_file("files/large.txt", large);
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard());
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, nginx.url("/large.txt"));
    auto body = response.iter_raw();
    std::string received;
    while (auto chunk = co_await body.next()) received += chunk->view();
    EXPECT_TRUE(received == large);
  });
  expect_quiet(client);
}

TEST_F(NginxTest, UploadsOfEveryKind) {
  Nginx nginx;
  const std::string text = patterned_bytes(3'000'000);
  nginx.write_file("files/source.txt", text);
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  auto pieces = [](std::string whole) -> Generator<Chunk> {
    for (std::size_t at = 0; at < whole.size(); at += 100'000) {
      if (at % 700'000 == 0) co_await yield();
      co_yield Chunk(std::string_view(whole).substr(at, 100'000));
    }
  };
  for (bool expect : {false, true}) {
    for (int kind = 0; kind < 4; ++kind) {
      auto request = client.put(nginx.url("/put/target.txt"));
      if (expect) request.expect_continue(kPatience);  // nginx does say 100
      if (kind == 0) request.content(text);
      if (kind == 1) request.file(nginx.path_of("files/source.txt"));
      if (kind == 2) request.body(pieces(text));
      if (kind == 3) request.body(pieces(text), text.size());
      auto response = run(std::move(request).as_result());
      ASSERT_TRUE(response) << response.error().what();
      EXPECT_TRUE(response->is_success()) << response->status();
      EXPECT_TRUE(get(client, nginx.url("/target.txt")).value().content() == text);
      std::filesystem::remove(nginx.path_of("files/target.txt"));
    }
  }
  expect_quiet(client);
}

TEST_F(NginxTest, GzipSendfileAndDiscard) {
  Nginx nginx("sendfile on; gzip_static on; gzip on; gzip_min_length 1; gzip_types text/plain;");
  const std::string page = patterned_bytes(300'000);
  const std::string large = patterned_bytes(20'000'000);
  nginx.write_file("files/page.txt", page);
  nginx.write_file("files/static.txt", "served only to those who refuse gzip");
  nginx.write_file("files/static.txt.gz", gzip(page));
  nginx.write_file("files/large.bin", large);
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    for (std::string path : {"/page.txt", "/static.txt"}) {
      StreamingResponse response = co_await client.stream(Method::Get, nginx.url(path));
      EXPECT_EQ(response.headers().first("content-encoding"), "gzip");
      Taken taken = co_await take_all(response.iter_bytes(10'000));
      EXPECT_EQ(taken.ending, "end");
      EXPECT_TRUE(taken.joined() == page);
      EXPECT_LT(response.num_bytes_downloaded(), response.num_bytes_decoded());
    }
    Response plain = co_await client.get(nginx.url("/static.txt")).without_header("accept-encoding");
    EXPECT_EQ(plain.content(), "served only to those who refuse gzip");
    for (int i = 0; i < 3; ++i) {
      StreamingResponse response =
          co_await client.stream(Method::Get, nginx.url("/large.bin")).without_header("accept-encoding");
      co_await response.discard();
      EXPECT_EQ(response.num_bytes_downloaded(), large.size());
      StreamingResponse kept =
          co_await client.stream(Method::Get, nginx.url("/large.bin")).without_header("accept-encoding");
      Taken taken = co_await take_all(kept.iter_bytes());
      EXPECT_TRUE(taken.joined() == large);
    }
  });
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

class PythonServerTest : public ShardTest {
 protected:
  void SetUp() override {
    if (PythonServer::binary().empty()) GTEST_SKIP() << "python3 is not installed";
  }
};

TEST_F(PythonServerTest, StreamedAndDiscarded) {
  PythonServer server;
  const std::string large = patterned_bytes(3'000'000);
  server.write_file("files/large.txt", large);
  ASSERT_TRUE(server.start());
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, server.url("/large.txt"));
    Taken taken = co_await take_all(response.iter_text());
    EXPECT_TRUE(taken.joined() == large);
    StreamingResponse unwanted = co_await client.stream(Method::Get, server.url("/large.txt"));
    co_await unwanted.discard();
    EXPECT_EQ(unwanted.num_bytes_downloaded(), large.size());
  });
  expect_quiet(client);
}

TEST_F(PythonServerTest, CloseDelimitedHttp10) {
  PythonServer server;
  const std::string large = patterned_bytes(3'000'000);
  server.write_file("files/a.txt", "from python");
  server.write_file("files/large.txt", large);
  ASSERT_TRUE(server.start());
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  for (int i = 0; i < 5; ++i) {
    auto response = get(client, server.url("/a.txt"));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->http_version(), "HTTP/1.0");
    EXPECT_EQ(response->content(), "from python");
  }
  EXPECT_TRUE(get(client, server.url("/large.txt")).value().content() == large);
  EXPECT_EQ(get(client, server.url("/missing")).value().status(), 404);
  EXPECT_EQ(run(client.head(server.url("/a.txt")).as_result()).value().content(), "");
  EXPECT_EQ(run(client.post(server.url("/a.txt")).content("x").as_result()).value().status(), 501);
  EXPECT_EQ(client.pool_stats().idle, 0U);
  EXPECT_EQ(client.pool_stats().opened, 9U);
  expect_quiet(client);
}

class NodeServerTest : public ShardTest {
 protected:
  void SetUp() override {
    if (NodeServer::binary().empty()) GTEST_SKIP() << "node is not installed (package nodejs)";
  }
};

TEST_F(NodeServerTest, ChunkedAndCoded) {
  NodeServer server;
  ASSERT_TRUE(server.start());
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    for (std::string path : {"/plain", "/gzip", "/deflate", "/raw", "/br"}) {
      StreamingResponse response = co_await client.stream(Method::Get, server.url(path));
      EXPECT_EQ(response.headers().first("transfer-encoding"), "chunked");
      EXPECT_EQ(response.headers().contains("content-encoding"), path != "/plain");
      Taken taken = co_await take_all(response.iter_lines(LineMode::ndjson));
      EXPECT_EQ(taken.ending, "end");
      EXPECT_EQ(taken.pieces.size(), 5'000U);
      for (std::size_t i = 0; i < taken.pieces.size(); ++i)
        EXPECT_EQ(taken.pieces[i], "{\"line\":" + std::to_string(i) + "}");
      StreamingResponse unwanted = co_await client.stream(Method::Get, server.url(path));
      co_await unwanted.discard();
    }
    StreamingResponse with_trailers = co_await client.stream(Method::Get, server.url("/trailers"));
    EXPECT_EQ(co_await with_trailers.read(), "body");
    EXPECT_EQ(with_trailers.trailers().first("x-count"), "4");
    EXPECT_EQ(client.pool_stats().opened, 1U);
    StreamingResponse cut = co_await client.stream(Method::Get, server.url("/cut"));
    Taken taken = co_await take_all(cut.iter_text());
    EXPECT_EQ(taken, (Taken{{"half"}, "RemoteProtocolError in body"}));
  });
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
