// SPDX-License-Identifier: MIT
// Where a server listens, and what happens when no descriptor is left.
#include "engine/net/listener.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/server/server_thread.hpp"

namespace sluice {
namespace {

using namespace testing;

class ListenerTest : public ::testing::Test {
 private:
  Watchdog watchdog_;
};

/// A folder for a socket, gone at the end.
class Folder {
 public:
  Folder() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { rmdir(path_.c_str()); }
  std::string file() const { return path_ + "/socket"; }

 private:
  std::string path_ = "/tmp/sluice-XXXXXX";
};

bool exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

TEST_F(ListenerTest, UnixSocket) {
  Folder folder;
  net::Address address = net::Address::unix_socket(folder.file()).value();
  {
    ServerThread server({}, nullptr, address);
    EXPECT_EQ(RawClient(address).ask(get_request("/bytes/3")).body, "012");
  }
  EXPECT_FALSE(exists(folder.file()));
}

TEST_F(ListenerTest, AUnixSocketThatWasLeftBehindIsReplacedAndOneInUseIsNot) {
  Folder folder;
  net::Address address = net::Address::unix_socket(folder.file()).value();
  {
    net::Fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.number(), &address.raw(), address.size()), 0);
  }
  ASSERT_TRUE(exists(folder.file()));
  ServerThread server({}, nullptr, address);
  EXPECT_EQ(RawClient(address).ask(get_request("/bytes/3")).body, "012");

  Shard shard;
  server::Server second(shard.loop());
  auto bound = second.listen(address);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().system_code(), EADDRINUSE);
  EXPECT_EQ(RawClient(address).ask(get_request("/bytes/3")).body, "012");
}

TEST_F(ListenerTest, AbstractUnixSocketAndIPv6) {
  std::string name = "@sluice-listener-test-" + std::to_string(getpid());
  ServerThread abstract({}, nullptr, net::Address::unix_socket(name).value());
  EXPECT_EQ(RawClient(abstract.address()).ask(get_request("/bytes/3")).body, "012");
  net::Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  net::Address any = loopback("::1");
  if (::bind(probe.number(), &any.raw(), any.size()) != 0) GTEST_SKIP() << "there is no IPv6 here";
  ServerThread v6({}, nullptr, any);
  EXPECT_EQ(RawClient(v6.address()).ask(get_request("/bytes/3")).body, "012");
}

TEST_F(ListenerTest, ServersMayShareAPort) {
  Shard shard;
  server::Server first(shard.loop());
  server::Server second(shard.loop());
  net::ListenOptions options;
  options.reuse_port = true;
  shard.block_on([](server::Server& one, server::Server& other, net::ListenOptions shared) -> Task<void> {
    net::Address address = one.listen(loopback(), shared).value();
    EXPECT_NE(address.port(), 0);
    EXPECT_TRUE(other.listen(address, shared));
    co_return;
  }(first, second, options));
}

/// A low limit of descriptors for a scope. io_uring notes the limit when an accept is started.
class FewDescriptors {
 public:
  FewDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low{64, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

  void take_all() {
    for (net::Fd fd(::dup(0)); fd; fd = net::Fd(::dup(0))) taken_.push_back(std::move(fd));
  }
  void give_back() { taken_.clear(); }

 private:
  rlimit before_{};
  std::vector<net::Fd> taken_;
};

TEST_F(ListenerTest, WaitsForDescriptorsWithoutSpinning) {
  FewDescriptors descriptors;
  ServerThread server;
  RawClient client(server.address());
  client.ask(get_request("/bytes/1"));
  net::Fd waiting(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Asked before too: UBSan looks at a type for the first time with the help of a pipe.
  EXPECT_EQ(server.connections(), 1U);
  std::uint64_t enters_before = server.stats().ring_enters;
  descriptors.take_all();
  const net::Address& address = server.address();
  ASSERT_EQ(::connect(waiting.number(), &address.raw(), address.size()), 0);
  EXPECT_EQ(client.ask(get_request("/delay/100")).body, "waited 100 ms\n");
  EXPECT_LT(server.stats().ring_enters - enters_before, 100U);
  EXPECT_EQ(server.connections(), 1U);

  descriptors.give_back();
  PeerConnection late(0, std::move(waiting));
  late.send(get_request("/bytes/1", "Connection: close\r\n"));
  EXPECT_TRUE(late.read_to_end().ends_with("\r\n\r\n0"));
}

}  // namespace
}  // namespace sluice
