// SPDX-License-Identifier: MIT
#include "engine/ring/ring.hpp"

#include <cerrno>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/net/fd.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice::ring {
namespace {

using namespace testing;

/// An operation that notes its completions.
struct Noted : Operation {
  Noted()
      : Operation([](Operation& operation, Completion completion) {
          static_cast<Noted&>(operation).completions.push_back(completion);
        }) {}
  std::vector<Completion> completions;
  std::uint64_t number = 0;  // what a read fills in
};

class RingTest : public ::testing::Test {
 protected:
  void open(unsigned entries) { ASSERT_TRUE(ring_.open(entries)); }
  /// Submits and reaps until a condition holds.
  template <class Condition>
  void turn_until(Condition condition) {
    while (!condition()) {
      ring_.submit_and_wait({.completions = 1, .batch = {}, .timeout = 1ms});
      ring_.reap(1000);
    }
  }
  static std::span<char> bytes_of(std::uint64_t& number) {
    return {reinterpret_cast<char*>(&number), sizeof(number)};
  }

  Watchdog watchdog_;
  Ring ring_;
};

TEST_F(RingTest, MoreOperationsThanEntries) {
  open(4);
  constexpr int kCount = 300;
  net::Fd event(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE));
  std::list<Noted> reads(kCount);
  for (Noted& read : reads) ring_.read(read, event.number(), bytes_of(read.number));
  EXPECT_EQ(ring_.in_flight(), std::uint64_t(kCount));
  std::uint64_t count = kCount;
  ASSERT_EQ(write(event.number(), &count, sizeof(count)), ssize_t(sizeof(count)));
  turn_until([&] { return ring_.in_flight() == 0; });
  for (Noted& read : reads) {
    ASSERT_EQ(read.completions.size(), 1U);
    EXPECT_EQ(read.completions[0].result, 8);
    EXPECT_EQ(read.number, 1U);
    EXPECT_FALSE(read.in_flight());
  }
}

TEST_F(RingTest, CompletionsBeyondTheQueueAreNotLost) {
  // A queue of 16 completions and 500 of them: the kernel keeps the rest until there is room.
  open(1);
  constexpr int kCount = 500;
  net::Fd event(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK));
  std::list<Noted> reads(kCount);
  std::uint64_t count = kCount;
  ASSERT_EQ(write(event.number(), &count, sizeof(count)), ssize_t(sizeof(count)));
  for (Noted& read : reads) ring_.read(read, event.number(), bytes_of(read.number));
  turn_until([&] { return ring_.in_flight() == 0; });
  for (Noted& read : reads) EXPECT_EQ(read.completions.size(), 1U);
}

TEST_F(RingTest, CancelEndsAnOperationOnce) {
  open(8);
  net::Fd event(eventfd(0, EFD_CLOEXEC));
  Noted read;
  ring_.cancel(read);  // not in flight: nothing to do
  ring_.read(read, event.number(), bytes_of(read.number));
  ring_.cancel(read);
  ring_.cancel(read);  // a second one finds nothing, and says nothing
  turn_until([&] { return ring_.in_flight() == 0; });
  ASSERT_EQ(read.completions.size(), 1U);
  EXPECT_TRUE(read.completions[0].result == -ECANCELED || read.completions[0].result == -EINTR);
  // The same object again: the late answers to the cancels must not meet the new operation.
  std::uint64_t one = 1;
  ring_.read(read, event.number(), bytes_of(read.number));
  ASSERT_EQ(write(event.number(), &one, sizeof(one)), ssize_t(sizeof(one)));
  turn_until([&] { return ring_.in_flight() == 0; });
  ASSERT_EQ(read.completions.size(), 2U);
  EXPECT_EQ(read.completions[1].result, 8);
}

TEST_F(RingTest, WaitsNoLongerThanItsTimeout) {
  open(8);
  TimePoint start = Clock::now();
  ring_.submit_and_wait({.completions = 1, .batch = {}, .timeout = 20ms});
  EXPECT_GE(Clock::now() - start, 20ms);
  start = Clock::now();
  ring_.submit_and_wait(Wait());
  EXPECT_LT(Clock::now() - start, kPatience);
}

TEST_F(RingTest, BrokenInvariantsAbort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  open(8);
  net::Fd event(eventfd(0, EFD_CLOEXEC));
  Noted read;
  EXPECT_DEATH(
      {
        ring_.read(read, event.number(), bytes_of(read.number));
        ring_.read(read, event.number(), bytes_of(read.number));
      },
      "started twice");
  EXPECT_DEATH(
      {
        Noted short_lived;
        ring_.read(short_lived, event.number(), bytes_of(short_lived.number));
      },
      "still holds it");
  EXPECT_DEATH(
      {
        ring_.read(read, event.number(), bytes_of(read.number));
        ring_.close();
      },
      "operations in flight");
}

// ---- buffers

struct Wakes {
  int count = 0;
  static void wake(void* self) { ++static_cast<Wakes*>(self)->count; }
};

/// A multishot receive on a socket pair that keeps its leases.
struct Receiver : Operation {
  struct Starved : StarvedReceiver {
    explicit Starved(Receiver& owner)
        : StarvedReceiver([](StarvedReceiver& self) { static_cast<Starved&>(self).receiver->start(); }),
          receiver(&owner) {}
    Receiver* receiver;
  };

  Receiver(Ring& its_ring, BufferRing& its_buffers)
      : Operation([](Operation& self, Completion completion) {
          static_cast<Receiver&>(self).completed(completion);
        }),
        ring(&its_ring),
        buffers(&its_buffers),
        starved(*this) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    near = net::Fd(pair[0]);
    far = net::Fd(pair[1]);
    start();
  }

  void start() { ring->receive_multishot(*this, near.number(), buffers->group()); }
  void send(const std::string& text) {
    EXPECT_EQ(::send(far.number(), text.data(), text.size(), 0), ssize_t(text.size()));
  }
  void completed(Completion completion) {
    if (completion.result > 0) {
      leases.push_back(buffers->take(completion.buffer_id, unsigned(completion.result)));
    } else if (completion.has_buffer) {
      buffers->give_back(completion.buffer_id);
    }
    if (completion.more) return;
    ++ends;
    if (completion.result == -ENOBUFS) {
      ++starvations;
      if (wait_when_starved) buffers->wait_for_buffers(starved);
    }
  }
  std::string text() const {
    std::string all;
    for (const Lease& lease : leases) all.append(lease.bytes().data(), lease.bytes().size());
    return all;
  }

  Ring* ring;
  BufferRing* buffers;
  Starved starved;
  net::Fd near, far;
  std::vector<Lease> leases;
  int ends = 0;
  int starvations = 0;
  bool wait_when_starved = true;
};

class BufferRingTest : public RingTest {
 protected:
  void open_buffers(std::uint32_t count, std::uint32_t size) {
    open(8);
    buffers_ = BufferRing::open(*ring_.raw(), {count, size, count * size}, &Wakes::wake, &wakes_).value();
  }
  void finish(std::initializer_list<Receiver*> receivers) {
    for (Receiver* receiver : receivers) {
      receiver->leases.clear();
      receiver->wait_when_starved = false;
      receiver->starved.unlink();
      ring_.cancel(*receiver);
    }
    turn_until([&] { return ring_.in_flight() == 0; });
    for (Receiver* receiver : receivers) receiver->leases.clear();
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      buffers_->return_batch();
      ring_.submit_and_wait({.completions = 1, .batch = {}, .timeout = 1ms});
      ring_.reap(1000);
    }
  }
  ~BufferRingTest() override {
    if (buffers_ != nullptr) buffers_->close();
    ring_.close();
  }

  Wakes wakes_;
  BufferRing* buffers_ = nullptr;
};

TEST_F(BufferRingTest, LeasesComeAndGo) {
  open_buffers(8, 64);
  Receiver receiver(ring_, *buffers_);
  for (int i = 0; i < 100; ++i) {  // many times round the ring
    receiver.send(std::to_string(i));
    turn_until([&] { return receiver.leases.size() == 1; });
    EXPECT_EQ(receiver.text(), std::to_string(i));
    EXPECT_TRUE(receiver.leases[0].provided());
    EXPECT_EQ(buffers_->leased(), 1U);
    receiver.leases.clear();
    EXPECT_EQ(buffers_->leased(), 0U);
    buffers_->return_batch();
  }
  EXPECT_EQ(receiver.starvations, 0);
  EXPECT_EQ(buffers_->copies(), 0U);
  finish({&receiver});
}

TEST_F(BufferRingTest, SharedLeasesReturnTheBufferOnce) {
  open_buffers(4, 64);
  Receiver receiver(ring_, *buffers_);
  receiver.send("shared");
  turn_until([&] { return !receiver.leases.empty(); });
  Lease part = receiver.leases[0].share(receiver.leases[0].bytes().subspan(2, 3));
  receiver.leases.clear();
  EXPECT_EQ(buffers_->leased(), 1U);
  EXPECT_EQ(std::string(part.bytes().data(), part.bytes().size()), "are");
  part = Lease();
  EXPECT_EQ(buffers_->leased(), 0U);
  finish({&receiver});
}

TEST_F(BufferRingTest, HeldLeasesBecomeCopiesBeforeTheLastBufferGoes) {
  for (std::uint32_t count : {1U, 2U, 4U, 16U}) {
    SCOPED_TRACE(count);
    Ring own;
    ASSERT_TRUE(own.open(8));
    BufferRing* buffers = BufferRing::open(*own.raw(), {count, 64, count * 64}, &Wakes::wake, &wakes_).value();
    {
      Receiver receiver(own, *buffers);
      std::string expected;
      for (std::uint32_t i = 0; i < 3 * count + 3; ++i) {
        receiver.send("message " + std::to_string(i) + ";");
        expected += "message " + std::to_string(i) + ";";
      }
      for (int i = 0; i < 5000 && receiver.text() != expected; ++i) {
        buffers->return_batch();
        own.submit_and_wait({.completions = 1, .batch = {}, .timeout = 1ms});
        own.reap(1000);
      }
      EXPECT_EQ(receiver.text(), expected);
      EXPECT_LT(buffers->leased(), count);
      EXPECT_GT(buffers->copies(), 0U);
      own.cancel(receiver);
      while (own.in_flight() != 0) {
        own.submit_and_wait({.completions = 1, .batch = {}, .timeout = {}});
        own.reap(1000);
      }
    }
    buffers->close();
  }
}

TEST_F(BufferRingTest, StarvedReceiverHearsOfItAfterTheBuffersAreBack) {
  // The completion that says "no buffers" is handled only after the buffers went back to the kernel: nobody
  // will ever return one again, so the receiver must not wait for that.
  open_buffers(4, 64);
  Receiver receiver(ring_, *buffers_);
  turns(2);
  finish({&receiver});
  receiver.wait_when_starved = true;
  buffers_->wait_for_buffers(receiver.starved);
  receiver.send("arrives");
  turns(5);
  EXPECT_EQ(receiver.text(), "arrives");
  finish({&receiver});
}

TEST_F(BufferRingTest, EmptyRingWakesReceiversInTheirOrder) {
  open_buffers(1, 64);
  Receiver first(ring_, *buffers_), second(ring_, *buffers_), third(ring_, *buffers_);
  for (Receiver* receiver : {&first, &second, &third}) {
    for (int i = 0; i < 20; ++i) receiver->send("x");
  }
  for (int i = 0; i < 5000 && first.text().size() + second.text().size() + third.text().size() < 60; ++i)
    turns(1);
  EXPECT_EQ(first.text(), std::string(20, 'x'));
  EXPECT_EQ(second.text(), std::string(20, 'x'));
  EXPECT_EQ(third.text(), std::string(20, 'x'));
  EXPECT_GT(buffers_->starvations(), 0U);
  finish({&first, &second, &third});
}

TEST_F(BufferRingTest, LeasesDroppedElsewhereWakeTheShard) {
  open_buffers(4, 64);
  Receiver receiver(ring_, *buffers_);
  receiver.send("x");
  turn_until([&] { return !receiver.leases.empty(); });
  int before = wakes_.count;
  std::thread([lease = std::move(receiver.leases[0])]() mutable { lease.drop(); }).join();
  receiver.leases.clear();
  EXPECT_EQ(wakes_.count, before + 1);
  EXPECT_EQ(buffers_->leased(), 1U);  // not this thread's business until it collects
  buffers_->return_batch();
  EXPECT_EQ(buffers_->leased(), 0U);
  finish({&receiver});
}

TEST_F(BufferRingTest, LeasesMayOutliveTheRing) {
  open_buffers(4, 64);
  Receiver receiver(ring_, *buffers_);
  receiver.send("kept");
  turn_until([&] { return !receiver.leases.empty(); });
  Lease here = std::move(receiver.leases[0]);
  Lease there = here.share(here.bytes());
  finish({&receiver});
  std::exchange(buffers_, nullptr)->close();
  ring_.close();
  EXPECT_EQ(std::string(here.bytes().data(), here.bytes().size()), "kept");
  here.drop();
  std::thread([lease = std::move(there)]() mutable { lease.drop(); }).join();
}

TEST_F(BufferRingTest, ZeroBytesGiveTheirBufferBack) {
  open_buffers(2, 64);
  Receiver receiver(ring_, *buffers_);
  receiver.far.close();
  turn_until([&] { return receiver.ends == 1; });
  EXPECT_EQ(buffers_->leased(), 0U);
  finish({&receiver});
}

}  // namespace
}  // namespace sluice::ring
