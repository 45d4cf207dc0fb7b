// SPDX-License-Identifier: MIT
// The sending half of a socket: pieces, files, and series of writes.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "engine/net/socket.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice::net {
namespace {

using namespace sluice::testing;

class SocketWriteTest : public ShardTest {
 protected:
  SocketWriteTest() {
    std::string path = "/tmp/sluice-write-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = path;
  }
  ~SocketWriteTest() override { std::filesystem::remove_all(folder_); }

  Task<Socket::Pointer> connected(const Peer& peer) {
    Socket::Pointer socket = Socket::make(shard().loop(), budget());
    EXPECT_EQ(co_await socket->connect(peer.address(), kNever), SocketStatus::ok);
    co_return socket;
  }
  static Task<void> written(Socket& socket) {
    while (socket.writing() && !socket.failed()) co_await socket.wait_for_write();
  }
  File file_of(const std::string& bytes) {
    std::string path = folder_ + "/file";
    std::ofstream(path, std::ios::binary) << bytes;
    return *File::open(path);
  }
  static ring::Lease lease_of(std::string_view bytes) { return ring::Lease::copy_of(bytes); }

  Peer::Script noting() {
    return [this](PeerConnection& connection) { log_.add({connection.read(20'000'000), ""}); };
  }
  std::string arrived(Peer& peer) {
    EXPECT_TRUE(eventually([&] { return log_.size() == 1; }));
    peer.stop();
    return log_.last().head;
  }

  std::string folder_;
  RequestLog log_;
};

TEST_F(SocketWriteTest, PiecesOfAllSizes) {
  Peer peer(noting());
  std::string expected;
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    for (std::size_t size : {0U, 1U, 100'000U, 3'000'000U}) {
      std::string bytes = patterned_bytes(size);
      expected += "before" + bytes + "\r\n" + bytes + "x";
      socket->write("before", lease_of(bytes), "\r\n", kNoTimeout);
      co_await written(*socket);
      socket->write("", lease_of(bytes), "x", kNoTimeout);
      co_await written(*socket);
      EXPECT_EQ(shard().stats().leases_out, 0U);
    }
    EXPECT_EQ(socket->write_error(), 0);
    EXPECT_EQ(socket->bytes_sent(), expected.size());
  });
  EXPECT_TRUE(arrived(peer) == expected);
}

TEST_F(SocketWriteTest, FileBehindAHead) {
  Peer peer(noting());
  std::string bytes = patterned_bytes(3'000'000);
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    socket->write("head", {}, kNoTimeout);
    co_await written(*socket);
    socket->write(file_of(bytes), kNoTimeout);
    co_await written(*socket);
    EXPECT_EQ(socket->bytes_sent(), bytes.size() + 4);
    EXPECT_EQ(socket->file_error(), 0);
  });
  EXPECT_TRUE(arrived(peer) == "head" + bytes);
}

TEST_F(SocketWriteTest, AFileThatHasBecomeShorterIsAnErrorOfTheFile) {
  Peer peer(noting());
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    File file = file_of("some bytes");
    std::filesystem::resize_file(folder_ + "/file", 4);
    socket->write(std::move(file), kNoTimeout);
    co_await written(*socket);
    EXPECT_EQ(socket->file_error(), ENODATA);
    EXPECT_NE(socket->write_error(), 0);
    EXPECT_FALSE(socket->failed());
  });
  EXPECT_EQ(arrived(peer), "some");
}

TEST_F(SocketWriteTest, StoppedWhileThePeerDoesNotRead) {
  Peer peer(Peer::silent());
  run([&]() -> Task<void> {
    for (bool of_file : {false, true}) {
      Socket::Pointer socket = co_await connected(peer);
      if (of_file)
        socket->write(file_of(patterned_bytes(30'000'000)), kNoTimeout);
      else
        socket->write("", lease_of(patterned_bytes(30'000'000)), "", kNoTimeout);
      co_await sleep_for(5ms);
      EXPECT_TRUE(socket->writing());
      socket->stop_writing();
      co_await written(*socket);
      EXPECT_EQ(socket->write_error(), ECANCELED);
      EXPECT_FALSE(socket->failed());
      std::uint64_t sent = socket->bytes_sent();
      co_await sleep_for(5ms);
      EXPECT_EQ(socket->bytes_sent(), sent);
      EXPECT_LT(sent, 30'000'000U);
    }
  });
  expect_sockets(0);
}

TEST_F(SocketWriteTest, DroppedInTheMiddleOfEverything) {
  Peer peer(Peer::silent());
  run([&]() -> Task<void> {
    for (int turns = 0; turns < 10; ++turns) {
      for (bool of_file : {false, true}) {
        Socket::Pointer socket = co_await connected(peer);
        if (of_file)
          socket->write(file_of(patterned_bytes(8'000'000)), kNoTimeout);
        else
          socket->write("x", lease_of(patterned_bytes(8'000'000)), "y", kNoTimeout);
        for (int i = 0; i < turns; ++i) co_await yield();
      }
    }
  });
  expect_sockets(0);
}

TEST_F(SocketWriteTest, NoTimeRunsBetweenTheWritesOfASeries) {
  Peer peer([](PeerConnection& connection) { connection.ending.wait(); });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    struct Writer final : Socket::WriterOfSeries {
      void socket_goes() noexcept override {}
    } writer;
    socket->begin_writes(writer);
    TimePoint start = Clock::now();
    auto writing = [](Socket& its_socket) -> Task<void> {
      for (int i = 0; i < 3; ++i) {
        its_socket.write("x", {}, Duration(10ms));
        co_await written(its_socket);
        co_await sleep_for(30ms);
      }
      its_socket.end_writes();
    };
    Background series(writing(*socket));
    ReadOutcome outcome = co_await socket->read(20ms);
    EXPECT_EQ(outcome.status, SocketStatus::timed_out);
    EXPECT_TRUE(series.done());
    EXPECT_GE(Clock::now() - start, 110ms);
  });
  expect_sockets(0);
}

// The kernel asks for more only when a third of its queue is free, which takes this peer longer than the
// timeout.
TEST_F(SocketWriteTest, ASlowPeerThatMovesIsNotLate) {
  constexpr std::size_t kTotal = 6'000'000;
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer(64 * 1024);
    for (std::size_t taken = 0; taken < kTotal;) {
      std::size_t size = connection.read(10'000).size();
      if (size == 0) return;
      taken += size;
      std::this_thread::sleep_for(2ms);
    }
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    socket->write("", detail::SharedBytes(patterned_bytes(kTotal)), 150ms);
    co_await written(*socket);
    EXPECT_FALSE(socket->failed());
    EXPECT_EQ(socket->bytes_sent(), kTotal);
  });
  expect_sockets(0);
}

}  // namespace
}  // namespace sluice::net
