// SPDX-License-Identifier: MIT
#include "engine/net/socket.hpp"

#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice::net {
namespace {

using namespace sluice::testing;

TimePoint in(Duration duration) {
  return after(Clock::now(), duration);
}

class SocketTest : public ShardTest {
 protected:
  ring::Loop& loop() { return shard().loop(); }

  Task<Socket::Pointer> connected(const Peer& peer) {
    Socket::Pointer socket = Socket::make(loop(), budget());
    EXPECT_EQ(co_await socket->connect(peer.address(), kNever), SocketStatus::ok);
    co_return socket;
  }
  /// Reads until the given size, the end or a failure.
  static Task<std::string> read(Socket& socket, std::size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      ReadOutcome outcome = co_await socket.read(kPatience);
      if (outcome.status != SocketStatus::ok) {
        bytes += outcome.status == SocketStatus::end ? "<end>" : "<failed>";
        break;
      }
      bytes.append(outcome.lease.bytes().data(), outcome.lease.bytes().size());
    }
    co_return bytes;
  }
};

TEST_F(SocketTest, ConnectRefused) {
  ClosedPort nobody;
  run([&]() -> Task<void> {
    Socket::Pointer socket = Socket::make(loop(), budget());
    EXPECT_EQ(co_await socket->connect(nobody.address(), in(kPatience)), SocketStatus::failed);
    EXPECT_EQ(socket->system_code(), ECONNREFUSED);
  });
  expect_sockets(0);
}

TEST_F(SocketTest, ConnectTimesOut) {
  DeafPeer deaf;
  run([&]() -> Task<void> {
    for (Duration limit : {Duration(-1s), Duration(0), Duration(20ms)}) {
      Socket::Pointer socket = Socket::make(loop(), budget());
      TimePoint start = Clock::now();
      EXPECT_EQ(co_await socket->connect(deaf.address(), start + limit), SocketStatus::timed_out);
      EXPECT_EQ(socket->system_code(), ETIMEDOUT);
      EXPECT_GE(Clock::now() - start, limit);
    }
  });
  expect_sockets(0);
}

TEST_F(SocketTest, NothingConnectsToTheEmptyAddress) {
  run([&]() -> Task<void> {
    Socket::Pointer socket = Socket::make(loop(), budget());
    EXPECT_EQ(co_await socket->connect(Address(), kNever), SocketStatus::failed);
    EXPECT_NE(socket->system_code(), 0);
  });
}

TEST_F(SocketTest, EveryFamily) {
  std::string name = "@sluice-socket-" + std::to_string(getpid());
  for (const Address& address : {loopback(), loopback("::1"), *Address::unix_socket(name)}) {
    Peer peer([](PeerConnection& connection) { connection.send(connection.read(5)); }, address);
    run([&]() -> Task<void> {
      Socket::Pointer socket = co_await connected(peer);
      EXPECT_EQ(socket->peer(), peer.address().str());
      socket->write("hello", {}, kNoTimeout);
      EXPECT_EQ(co_await read(*socket, 100), "hello<end>");
      EXPECT_EQ(socket->bytes_sent(), 5U);
      EXPECT_EQ(socket->bytes_received(), 5U);
    });
  }
  expect_sockets(0);
}

TEST_F(SocketTest, HalfClosedPeerMayStillBeWrittenTo) {
  RequestLog log;
  Peer peer([&](PeerConnection& connection) {
    connection.half_close();
    log.add({connection.read(5), ""});
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    EXPECT_EQ(co_await read(*socket, 100), "<end>");
    EXPECT_EQ(co_await read(*socket, 100), "<end>");  // and stays so
    socket->write("hello", {}, kNoTimeout);
    EXPECT_TRUE(socket->writing());
    co_await socket->wait_for_write();
    EXPECT_EQ(socket->write_error(), 0);
  });
  EXPECT_TRUE(eventually([&] { return log.size() == 1; }));
  EXPECT_EQ(log.last().head, "hello");
}

TEST_F(SocketTest, ResetIsAFailureAfterTheBytesBeforeIt) {
  Peer peer([](PeerConnection& connection) {
    connection.send("last words");
    connection.read(1);
    connection.reset();
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    EXPECT_EQ(co_await read(*socket, 10), "last words");
    socket->write("!", {}, kNoTimeout);
    EXPECT_EQ(co_await read(*socket, 100), "<failed>");
    EXPECT_EQ(socket->system_code(), ECONNRESET);
  });
  expect_sockets(0);
}

TEST_F(SocketTest, WritesOfAllSizes) {
  RequestLog log;
  Peer peer([&](PeerConnection& connection) {
    for (;;) {
      std::string size = connection.read(9);
      if (size.size() < 9) return;
      log.add({size, connection.read(std::stoul(size))});
      connection.send("k");
    }
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    for (std::size_t size : {0U, 1U, 8191U, 8192U, 8193U, 100'000U, 5'000'000U}) {
      std::string body = patterned_bytes(size);
      char head[10];
      std::snprintf(head, sizeof(head), "%09zu", size);
      socket->write(head, detail::SharedBytes(body), kNoTimeout);
      EXPECT_EQ(co_await read(*socket, 1), "k");
      EXPECT_TRUE(log.last().body == body) << size;
    }
  });
}

TEST_F(SocketTest, ReadTimeout) {
  Peer peer([](PeerConnection& connection) { connection.ending.wait(); });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    TimePoint start = Clock::now();
    ReadOutcome outcome = co_await socket->read(20ms);
    EXPECT_EQ(outcome.status, SocketStatus::timed_out);
    EXPECT_GE(Clock::now() - start, 20ms);
  });
}

TEST_F(SocketTest, AReadThatWasCancelledLeavesNoDeadline) {
  Peer peer([](PeerConnection& connection) {
    connection.read(1);
    connection.send("late");
    connection.ending.wait();
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    {
      auto body = [&]() -> Task<void> { (void)co_await socket->read(10ms); };
      Background reading(body());
      co_await yield();
    }
    co_await sleep_for(30ms);
    EXPECT_FALSE(socket->stirred());
    socket->write("x", {}, kNoTimeout);
    EXPECT_EQ(co_await read(*socket, 4), "late");
  });
}

TEST_F(SocketTest, WriteTimeout) {
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer();
    connection.ending.wait();
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    TimePoint start = Clock::now();
    socket->write("head", detail::SharedBytes(patterned_bytes(20'000'000)), 30ms);
    ReadOutcome outcome = co_await socket->read(1ms);  // its own time starts when the write is done: never
    EXPECT_EQ(outcome.status, SocketStatus::timed_out);
    EXPECT_GE(Clock::now() - start, 30ms);
    EXPECT_TRUE(socket->writing());
  });
  expect_sockets(0);
}

TEST_F(SocketTest, HighWaterStopsReceiving) {
  constexpr std::size_t kTotal = 40'000'000;
  set_up_shard({.buffers = {.count = 256, .size_bytes = 16 * 1024}});
  std::atomic<std::size_t> sent{0};
  const std::string body = patterned_bytes(kTotal);
  Peer peer([&](PeerConnection& connection) {
    while (sent < kTotal) {
      if (!connection.send(std::string_view(body).substr(sent, 50'000))) return;
      sent += 50'000;
    }
    connection.read(1);
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    std::size_t before = 0;
    do {  // until the peer makes no headway
      before = sent;
      co_await sleep_for(50ms);
    } while (sent != before);
    EXPECT_LT(before, kTotal);
    // What is under way when receiving stops still comes: at most what the buffers hold.
    EXPECT_LE(socket->bytes_received(), budget().limits().high_water_bytes + std::size_t{256} * 16 * 1024);
    std::string received = co_await read(*socket, kTotal);
    EXPECT_TRUE(received == body);
  });
  expect_sockets(0);
}

// Readers of whom each always finds more had all receive buffers in turn, while others found none for
// seconds.
TEST_F(SocketTest, BusyReadersLeaveBuffersToEachOther) {
  constexpr std::size_t kSockets = 8;
  constexpr std::uint64_t kShare = 8 << 20;
  ShardOptions options;
  options.buffers = {.count = 64, .size_bytes = 16 * 1024, .hot_bytes = 8 * 16 * 1024};
  set_up_shard(options);
  Peer peer([](PeerConnection& connection) {
    const std::string data(1 << 20, 'x');
    while (connection.send(data)) continue;
  });
  std::vector<std::uint64_t> received(kSockets);
  auto total = [&] { return std::accumulate(received.begin(), received.end(), std::uint64_t{0}); };
  auto read_on = [&](std::uint64_t& bytes) -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    while (total() < kSockets * kShare) {
      ReadOutcome outcome = co_await socket->read(kPatience);
      bytes += outcome.lease.bytes().size();
    }
  };
  run([&]() -> Task<void> {
    std::vector<Task<void>> readers;
    for (std::uint64_t& bytes : received) readers.push_back(read_on(bytes));
    co_await when_all(std::move(readers));
  });
  for (std::uint64_t bytes : received) EXPECT_GE(bytes, kShare / 8);
}

TEST_F(SocketTest, RetiredInEveryState) {
  Peer silent(Peer::silent());
  Peer talker([](PeerConnection& connection) {
    while (connection.send(std::string(10'000, 'x'))) {
    }
  });
  DeafPeer deaf;
  run([&]() -> Task<void> {
    { Socket::Pointer never_opened = Socket::make(loop(), budget()); }
    {
      Socket::Pointer connecting = Socket::make(loop(), budget());
      auto body = [&]() -> Task<void> { (void)co_await connecting->connect(deaf.address(), kNever); };
      Background attempt(body());
      co_await yield();
      attempt.cancel();
    }
    { Socket::Pointer idle = co_await connected(silent); }
    {
      Socket::Pointer writing = co_await connected(silent);
      writing->write("x", detail::SharedBytes(patterned_bytes(20'000'000)), kNoTimeout);
    }
    {
      Socket::Pointer receiving = co_await connected(talker);
      (void)co_await receiving->read(kNoTimeout);
    }
    {
      Socket::Pointer aborted = co_await connected(silent);
      aborted->abort();
      EXPECT_EQ((co_await aborted->read(kNoTimeout)).status, SocketStatus::failed);
    }
  });
  expect_sockets(0);
}

TEST_F(SocketTest, AbortWakesReaderAndWriter) {
  Peer silent(Peer::silent());
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(silent);
    socket->write("x", detail::SharedBytes(patterned_bytes(20'000'000)), kNoTimeout);
    auto read_one = [&]() -> Task<SocketStatus> { co_return (co_await socket->read(kNoTimeout)).status; };
    auto wait_write = [&]() -> Task<void> { co_await socket->wait_for_write(); };
    Background reader(read_one());
    Background writer(wait_write());
    co_await yield();
    socket->abort();
    EXPECT_TRUE(co_await reader.wait());
    EXPECT_TRUE(co_await writer.wait());
    EXPECT_EQ(reader.take(), SocketStatus::failed);
    EXPECT_EQ(socket->system_code(), ECANCELED);
  });
  expect_sockets(0);
}

}  // namespace
}  // namespace sluice::net
