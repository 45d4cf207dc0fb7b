// SPDX-License-Identifier: MIT
// What idle connections cost the client's process. The peer is a child process, so that its memory does not
// count.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/compiler.hpp"
#include "engine/http/exchange.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * std::size_t(sysconf(_SC_PAGESIZE));
}

/// A child process that accepts so many connections, answers one request on each, and keeps them open.
class Holder {
 public:
  explicit Holder(int count) {
    net::Address any = loopback();
    net::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener.number(), &any.raw(), any.size()), 0);
    EXPECT_EQ(::listen(listener.number(), 4096), 0);
    address_ = net::Address::of_socket(listener.number(), false);
    child_ = fork();
    if (child_ == 0) hold(listener.number(), count);
  }
  ~Holder() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  std::string url() const { return "http://" + address_.str() + "/"; }

 private:
  [[noreturn]] static void hold(int listener, int count) {
    const std::string answer = ok_response();
    std::vector<int> connections;
    for (int i = 0; i < count; ++i) {
      connections.push_back(accept(listener, nullptr, nullptr));
      char request[2048];
      (void)!recv(connections.back(), request, sizeof(request), 0);
      (void)!send(connections.back(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    for (;;) pause();
  }

  net::Address address_;
  pid_t child_ = -1;
};

class IdleMemoryTest : public ShardTest {};

TEST_F(IdleMemoryTest, TenThousandConnections) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "a sanitizer's memory is not ours";
  constexpr std::size_t kBytesEach = 2048;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const int count = int(std::min<rlim_t>(10'000, limit.rlim_cur - 200));
  Holder holder(count);
  auto pool = std::make_shared<http::Pool>(shard().loop(),
                                           Limits{.max_connections = kUnlimited,
                                                  .max_keepalive_connections = kUnlimited,
                                                  .keepalive_expiry = kNoTimeout},
                                           wire::ReaderLimits());
  http::Connector connector(shard().loop(), budget(), std::make_unique<net::HostsFileResolver>(), "");
  const Request request = Request::get(holder.url()).header("Host", "h");
  const http::OriginKey key{request.url().scheme(), request.url().raw_host(), request.url().effective_port()};
  std::vector<http::Slot> taken;
  taken.reserve(std::size_t(count));
  std::size_t before = resident_bytes();
  run([&]() -> Task<void> {
    for (int i = 0; i < count; ++i) {
      wire::ResponseHead head;
      http::Exchange exchange(*pool, connector, Timeout::all(kPatience));
      if (!co_await exchange.open(request, head) || exchange.poll() != http::Exchange::Event::end) break;
      // Takes the idle connection away, so that the next request opens another.
      taken.push_back(pool->try_acquire(key));
    }
  });
  ASSERT_EQ(taken.size(), std::size_t(count));
  run([&]() -> Task<void> {
    for (http::Slot& slot : taken) slot.release();
    co_return;
  });
  ASSERT_EQ(pool->stats().idle, unsigned(count));
  std::size_t each = (resident_bytes() - before) / std::size_t(count);
  std::printf("%zu bytes for each of %d idle connections\n", each, count);
  EXPECT_LE(each, kBytesEach);
  pool->close();
}

}  // namespace
}  // namespace sluice
