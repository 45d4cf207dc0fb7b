// SPDX-License-Identifier: MIT
// Fast transfers, of which the kernel gathers bytes: nothing is held back from a reader for long.
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "engine/net/socket.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice::net {
namespace {

using namespace sluice::testing;

constexpr std::size_t kFast = 8'000'000;
constexpr std::size_t kRest = 100'000;  // less than any low water mark

class GatheringTest : public ShardTest {
 protected:
  Task<Socket::Pointer> connected(const Peer& peer) {
    Socket::Pointer socket = Socket::make(shard().loop(), budget());
    EXPECT_EQ(co_await socket->connect(peer.address(), kNever), SocketStatus::ok);
    co_return socket;
  }
  /// Sends much, then what is less than a mark, and more only when all of that has arrived.
  Peer::Script fast_then_waiting() {
    return [this](PeerConnection& connection) {
      connection.send(patterned_bytes(kFast));
      connection.send(std::string(kRest, 'r'));
      arrived_.wait();
      connection.send("end");
      connection.read(1);
    };
  }
  /// `promised_bytes`: to come in all, as a head would have said.
  static Task<std::size_t> read(Socket& socket, std::size_t size, std::uint64_t promised_bytes) {
    std::size_t count = 0;
    while (count < size) {
      ReadOutcome outcome = co_await socket.read(kPatience, promised_bytes - count);
      if (outcome.status != SocketStatus::ok) break;
      count += outcome.lease.bytes().size();
    }
    co_return count;
  }

  Gate arrived_;
};

TEST_F(GatheringTest, WhatIsLessThanAMarkArrivesAllTheSame) {
  Peer peer(fast_then_waiting());
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    // Promised more than comes: as with a body whose size is not known.
    EXPECT_EQ(co_await read(*socket, kFast + kRest, ~std::uint64_t{0}), kFast + kRest);
    arrived_.open();
    EXPECT_EQ(co_await read(*socket, 3, 3), 3U);
  });
  expect_sockets(0);
}

TEST_F(GatheringTest, ASmallRestIsNotGathered) {
  Peer peer(fast_then_waiting());
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    EXPECT_EQ(co_await read(*socket, kFast + kRest, kFast + kRest), kFast + kRest);
    arrived_.open();
    EXPECT_EQ(co_await read(*socket, 3, 3), 3U);
  });
  expect_sockets(0);
}

TEST_F(GatheringTest, DiscardingEndsWithItsLastByte) {
  Peer peer(fast_then_waiting());
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    std::uint64_t left = kFast + kRest;
    while (left > 0) {
      ReadOutcome outcome = co_await socket->discard(left, kPatience);
      if (outcome.status != SocketStatus::ok) break;
      left -= outcome.discarded_bytes + outcome.lease.bytes().size();
    }
    EXPECT_EQ(left, 0U);
    arrived_.open();
    EXPECT_EQ(co_await read(*socket, 3, 3), 3U);
  });
  expect_sockets(0);
}

TEST_F(GatheringTest, WhatTricklesIsNotLate) {
  constexpr std::size_t kTotal = 2'000'000;
  Peer peer([](PeerConnection& connection) {
    for (std::size_t sent = 0; sent < kTotal; sent += 20'000) {
      connection.send(std::string(20'000, 'x'));
      std::this_thread::sleep_for(5ms);  // slower than a mark in the time of the timeout
    }
    connection.read(1);
  });
  run([&]() -> Task<void> {
    Socket::Pointer socket = co_await connected(peer);
    std::uint64_t left = kTotal;
    while (left > 0) {
      ReadOutcome outcome = co_await socket->discard(left, 200ms);
      EXPECT_EQ(outcome.status, SocketStatus::ok);
      if (outcome.status != SocketStatus::ok) break;
      left -= outcome.discarded_bytes + outcome.lease.bytes().size();
    }
    EXPECT_EQ(left, 0U);
  });
  expect_sockets(0);
}

}  // namespace
}  // namespace sluice::net
