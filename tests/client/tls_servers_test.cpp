// SPDX-License-Identifier: MIT
// https with servers that others wrote: nginx, openssl s_server, Node.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "engine/base/compiler.hpp"
#include "engine/http/exchange.hpp"
#include "engine/net/tls_configuration.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/server_program.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class SecureServer : public Server {
 public:
  explicit SecureServer(const Identity& identity) : identity_(identity) {}
  std::string https_url(std::string_view path) const {
    return "https://localhost:" + std::to_string(port_) + std::string(path);
  }

 protected:
  Identity identity_;
};

class SecureNginx : public SecureServer {
 public:
  static std::string binary() {
    return program_path({"/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"});
  }
  SecureNginx(const Identity& identity, std::string settings)
      : SecureServer(identity), settings_(std::move(settings)) {}

 protected:
  std::vector<std::string> command() override {
    auto temporary = [&](const char* kind) {
      return std::string(kind) + "_temp_path " + folder_ + "/" + kind + ";\n";
    };
    std::ofstream(folder_ + "/nginx.conf")
        << "daemon off; master_process off; pid " << folder_ << "/pid; error_log " << folder_ << "/errors;\n"
        << "events { worker_connections 4096; }\nhttp { access_log off; client_max_body_size 100m;\n"
        << temporary("client_body") << temporary("proxy") << temporary("fastcgi") << temporary("uwsgi")
        << temporary("scgi") << "server { listen 127.0.0.1:" << port_ << " ssl; root " << folder_
        << "/files;\n"
        << "ssl_certificate " << identity_.certificate << "; ssl_certificate_key " << identity_.key << ";\n"
        << "keepalive_requests 1000000; " << settings_ << "\n"
        << "location /put/ { alias " << folder_ << "/files/; dav_methods PUT; } } }\n";
    return {binary(), "-c", folder_ + "/nginx.conf", "-p", folder_, "-e", folder_ + "/errors"};
  }

 private:
  std::string settings_;
};

class OpensslServer : public SecureServer {
 public:
  OpensslServer(const Identity& identity, std::string version)
      : SecureServer(identity), version_(std::move(version)) {}

 protected:
  std::vector<std::string> command() override {
    return {"/usr/bin/openssl",
            "s_server",
            "-accept",
            "127.0.0.1:" + std::to_string(port_),
            "-cert",
            identity_.certificate,
            "-key",
            identity_.key,
            "-www",
            version_,
            "-quiet"};
  }

 private:
  std::string version_;
};

class NodeServer : public SecureServer {
 public:
  static std::string binary() {
    return program_path({"/usr/bin/node", "/usr/bin/nodejs", "/usr/local/bin/node"});
  }
  using SecureServer::SecureServer;

 protected:
  std::vector<std::string> command() override {
    write_file("server.js", R"(
const fs = require('fs'), [certificate, key, port] = process.argv.slice(2);
require('https').createServer({cert: fs.readFileSync(certificate), key: fs.readFileSync(key)}, (request, response) => {
  const parts = [];
  request.on('data', part => parts.push(part));
  request.on('end', () => response.end(Buffer.concat(parts)));
}).listen(+port, '127.0.0.1');
)");
    return {binary(), folder_ + "/server.js", identity_.certificate, identity_.key, std::to_string(port_)};
  }
};

class TlsServersTest : public ShardTest {
 protected:
  ClientOptions trusting(TlsOptions options = {}) {
    return ClientOptions().tls(TlsContext(options.ca_file(root_.certificate()))).timeout(kPatience);
  }

  Authority root_;
};

TEST_F(TlsServersTest, Nginx) {
  if (SecureNginx::binary().empty()) GTEST_SKIP() << "nginx is not installed (package nginx-light)";
  const std::string large = patterned_bytes(20'000'000);
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    SecureNginx nginx(root_.issue(), std::string("ssl_protocols ") + version + ";");
    nginx.write_file("files/hello.txt", "hello from nginx\n");
    nginx.write_file("files/large.txt", large);
    ASSERT_TRUE(nginx.start());
    AsyncClient client(shard(), trusting());
    auto response = get(client, nginx.https_url("/hello.txt"));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "hello from nginx\n");
    EXPECT_EQ(response->tls()->version(), version);
    EXPECT_EQ(response->tls()->alpn(), "http/1.1");
    EXPECT_TRUE(get(client, nginx.https_url("/large.txt")).value().content() == large);
    response = run(client.put(nginx.https_url("/put/new.txt")).content(large).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->status(), 201);
    response =
        run(client.put(nginx.https_url("/put/copy.txt")).file(nginx.path_of("files/large.txt")).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_TRUE(get(client, nginx.https_url("/copy.txt")).value().content() == large);
    EXPECT_EQ(client.pool_stats().opened, 1U);
    expect_quiet(client);
  }
}

TEST_F(TlsServersTest, NginxResumesAndClosesIdleConnections) {
  if (SecureNginx::binary().empty()) GTEST_SKIP() << "nginx is not installed (package nginx-light)";
  SecureNginx nginx(root_.issue(), "keepalive_timeout 50ms;");
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard(), trusting());
  for (int i = 0; i < 4; ++i) {
    auto response = get(client, nginx.https_url("/hello.txt"));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->tls()->resumed(), i != 0);
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }))
        << "close_notify was not noticed";
  }
  expect_sockets(0);
}

TEST_F(TlsServersTest, NginxManyAtOnce) {
  if (SecureNginx::binary().empty()) GTEST_SKIP() << "nginx is not installed (package nginx-light)";
  SecureNginx nginx(root_.issue(), "");
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  AsyncClient client(shard(), trusting().limits({.max_connections = 20}));
  run([&]() -> Task<void> {
    std::vector<Task<Result<Response>>> requests;
    for (int i = 0; i < 500; ++i) requests.push_back(client.get(nginx.https_url("/hello.txt")).as_result());
    int good = 0;
    for (auto& response : co_await when_all(std::move(requests)))
      good += response && response->content() == "hello";
    EXPECT_EQ(good, 500);
  });
  EXPECT_EQ(client.pool_stats().opened, 20U);
  expect_quiet(client);
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

TEST_F(TlsServersTest, MemoryOfIdleConnections) {
  if (SecureNginx::binary().empty()) GTEST_SKIP() << "nginx is not installed (package nginx-light)";
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "a sanitizer's memory is not ours";
  constexpr int kCount = 400;
  constexpr std::size_t kBytesEach = 20 * 1024;
  SecureNginx nginx(root_.issue(), "keepalive_timeout 100s;");
  nginx.write_file("files/hello.txt", "hello");
  ASSERT_TRUE(nginx.start());
  auto tls = net::TlsConfiguration::make(TlsOptions().ca_file(root_.certificate())).value();
  auto pool = std::make_shared<http::Pool>(shard().loop(),
                                           Limits{.max_connections = kUnlimited,
                                                  .max_keepalive_connections = kUnlimited,
                                                  .keepalive_expiry = kNoTimeout},
                                           wire::ReaderLimits());
  http::Connector connector(shard().loop(), budget(), std::make_unique<net::HostsFileResolver>(), "", tls);
  const Request request = Request::get(nginx.https_url("/hello.txt")).header("Host", "h");
  const http::OriginKey key{request.url().scheme(), request.url().raw_host(), request.url().effective_port()};
  std::vector<http::Slot> taken;
  std::size_t before = 0;
  run([&]() -> Task<void> {
    for (int i = 0; i < kCount + 10; ++i) {
      if (i == 10) before = resident_bytes();
      wire::ResponseHead head;
      http::Exchange exchange(*pool, connector, Timeout::all(kPatience));
      auto opened = co_await exchange.open(request, head);
      if (!opened) break;
      auto event = exchange.poll();
      for (; event != http::Exchange::Event::end && event != http::Exchange::Event::failed;
           event = exchange.poll()) {
        if (event == http::Exchange::Event::need_more) exchange.supply(co_await exchange.read());
      }
      taken.push_back(pool->try_acquire(key));
    }
  });
  ASSERT_EQ(taken.size(), std::size_t(kCount + 10));
  for (http::Slot& slot : taken) slot.release();
  std::size_t each = (resident_bytes() - before) / kCount;
  std::printf("%zu bytes for each idle TLS connection\n", each);
  EXPECT_LE(each, kBytesEach);
  taken.clear();
  pool->close();
}

TEST_F(TlsServersTest, OpensslServer) {
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    OpensslServer server(root_.issue(), version);
    ASSERT_TRUE(server.start());
    AsyncClient client(shard(), trusting());
    for (int i = 0; i < 3; ++i) {
      auto response = get(client, server.https_url("/"));
      ASSERT_TRUE(response) << response.error().what();
      EXPECT_NE(response->content().find("Cipher"), std::string::npos);
      EXPECT_EQ(response->tls()->resumed(), i != 0);
    }
  }
}

TEST_F(TlsServersTest, Node) {
  if (NodeServer::binary().empty()) GTEST_SKIP() << "Node is not installed (package nodejs)";
  NodeServer server(root_.issue());
  ASSERT_TRUE(server.start());
  AsyncClient client(shard(), trusting());
  for (std::size_t size : {0UL, 10UL, 1'000'000UL}) {
    const std::string body = patterned_bytes(size);
    auto response = run(client.post(server.https_url("/")).content(body).as_result());
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_TRUE(response->content() == body);
    EXPECT_EQ(response->tls()->version(), "TLSv1.3");
  }
  EXPECT_EQ(client.pool_stats().opened, 1U);
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
