// SPDX-License-Identifier: MIT
// What may wait unread: of one stream (high and low water), and of all streams of a client together.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sluice/combinators.hpp>

#include "tests/support/streams.hpp"

namespace sluice {
namespace {

using namespace testing;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kMiB = 1024 * 1024;

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (std::fscanf(file, "%zu %zu", &total, &resident) != 2) ADD_FAILURE() << "no /proc/self/statm";
  std::fclose(file);
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Sends a body for ever on every connection, from one thread and one piece of memory: a thousand threads
/// with their stacks would drown what is to be measured. The body's bytes at an offset depend on nothing but
/// the offset.
class EndlessOrigin {
 public:
  explicit EndlessOrigin(bool chunked) : pattern_(patterned_bytes(kPeriod)) {
    head_ = chunked ? chunked_head() : "HTTP/1.1 200 OK\r\n\r\n";
    unit_ = chunked ? chunk_of(pattern_) : pattern_;
    listener_ = net::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    net::Address any = loopback();
    if (::bind(listener_.number(), &any.raw(), any.size()) != 0 || ::listen(listener_.number(), 4096) != 0)
      throw std::runtime_error("the test's origin cannot listen");
    address_ = net::Address::of_socket(listener_.number(), false);
    epoll_ = net::Fd(::epoll_create1(EPOLL_CLOEXEC));
    watch(listener_.number(), EPOLLIN);
    thread_ = std::thread([this] { serve(); });
  }
  ~EndlessOrigin() {
    stopping_ = true;
    thread_.join();
  }

  static constexpr std::size_t kPeriod = 61'441;
  std::string url() const { return "http://" + address_.str() + "/"; }
  /// Whether these are the bytes of the body from an offset on.
  bool right(std::uint64_t offset, std::string_view bytes) const {
    while (!bytes.empty()) {
      std::size_t at = offset % kPeriod;
      std::size_t size = std::min(bytes.size(), kPeriod - at);
      if (std::string_view(pattern_).substr(at, size) != bytes.substr(0, size)) return false;
      bytes.remove_prefix(size);
      offset += size;
    }
    return true;
  }
  /// Bytes that the kernel has taken, of all connections.
  std::uint64_t sent() const { return sent_; }

 private:
  struct Connection {
    net::Fd fd;
    bool asked = false;
    std::uint64_t sent = 0;
  };

  void watch(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, fd, &event);
  }
  void serve() {
    std::array<epoll_event, 256> events;
    while (!stopping_) {
      int count = ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), 10);
      for (int i = 0; i < count; ++i) {
        int fd = events[static_cast<std::size_t>(i)].data.fd;
        fd == listener_.number() ? accept_all() : serve_one(fd);
      }
    }
  }
  void accept_all() {
    for (;;) {
      net::Fd fd(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) return;
      // A thousand send buffers of the usual size are more than the kernel's TCP may have; it then stalls
      // connections for many seconds.
      int size = 32 * 1024;
      ::setsockopt(fd.number(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
      int number = fd.number();
      if (connections_.size() <= static_cast<std::size_t>(number))
        connections_.resize(static_cast<std::size_t>(number) + 1);
      connections_[static_cast<std::size_t>(number)].emplace().fd = std::move(fd);
      watch(number, EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }
  void serve_one(int fd) {
    Connection& connection = *connections_[static_cast<std::size_t>(fd)];
    char request[4096];
    ssize_t received = ::recv(fd, request, sizeof(request), 0);
    if (received > 0) connection.asked = true;
    bool gone = received == 0;
    while (connection.asked && !gone) {
      std::uint64_t at = connection.sent;
      std::string_view rest = at < head_.size()
                                  ? std::string_view(head_).substr(at)
                                  : std::string_view(unit_).substr((at - head_.size()) % unit_.size());
      ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) break;
      gone = sent < 0;
      if (gone) break;
      connection.sent += static_cast<std::uint64_t>(sent);
      sent_ += static_cast<std::uint64_t>(sent);
    }
    if (gone) connections_[static_cast<std::size_t>(fd)].reset();
  }

  std::string pattern_, head_, unit_;
  net::Fd listener_, epoll_;
  net::Address address_;
  std::vector<std::optional<Connection>> connections_;
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// One response of many, how far it has been read, and whether all of it was right.
struct Stream {
  explicit Stream(StreamingResponse its_response)
      : response(std::move(its_response)), body(response.iter_raw()) {}
  StreamingResponse response;
  BodyIterator<Chunk> body;
  std::uint64_t bytes = 0;
};

class BudgetTest : public ShardTest {
 protected:
  /// Both ends of every connection are in this process.
  static bool allow_descriptors(rlim_t count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < count) return false;
    limit.rlim_cur = std::max(limit.rlim_cur, count);
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
  }

  /// Until the origin makes no headway any more: all that fits has arrived.
  static Task<void> settle(const EndlessOrigin& origin) {
    std::uint64_t before;
    do {
      before = origin.sent();
      co_await sleep_for(60ms);
    } while (origin.sent() != before);
  }

  static Task<bool> read_on(const EndlessOrigin& origin, Stream& stream, std::uint64_t up_to) {
    while (stream.bytes < up_to) {
      auto piece = co_await stream.body.next();
      if (!piece || !origin.right(stream.bytes, piece->view())) co_return false;
      stream.bytes += piece->size();
    }
    co_return true;
  }

  /// Takes pieces as long as that needs no word with the kernel; how many bytes that were.
  Task<std::uint64_t> take_what_has_arrived(const EndlessOrigin& origin, Stream& stream) {
    const std::uint64_t enters = shard().stats().ring_enters;
    const std::uint64_t begin = stream.bytes;
    for (;;) {
      auto piece = co_await stream.body.next();
      EXPECT_TRUE(piece && origin.right(stream.bytes, piece->view()));
      if (!piece) co_return 0;
      stream.bytes += piece->size();
      if (shard().stats().ring_enters != enters) co_return stream.bytes - piece->size() - begin;
    }
  }

  void thousand_stalled_streams(bool chunked);
};

/// What a stream may cost beyond the budget: what comes with its head, and its objects. And all together: the
/// receive buffers and what arrives before the first stream is told to stop.
constexpr std::size_t kBytesOfAStream = (16 + 4) * 1024;
constexpr std::size_t kBytesAtOnce = 4 * kMiB;
/// What the buffers that the kernel was given hold, when a stream is told to stop.
constexpr std::size_t kBytesBeforeItStops = 4 * kMiB;

void BudgetTest::thousand_stalled_streams(bool chunked) {
  constexpr std::size_t kStreams = 1'000;
  constexpr std::size_t kBudget = 4 * kMiB;
  if (!allow_descriptors(2 * kStreams + 100)) GTEST_SKIP() << "ulimit -n is too low";
  set_up_shard({.buffers = {.count = 64, .size_bytes = 32 * 1024}});
  EndlessOrigin origin(chunked);
  AsyncClient client(shard(), ClientOptions()
                                  .limits({.max_connections = kStreams})
                                  .receive_limits({.max_queued_bytes = kBudget})
                                  .timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<std::unique_ptr<Stream>> streams;
    const std::size_t resident_before = resident_bytes();
    for (std::size_t i = 0; i < kStreams; ++i)
      streams.push_back(std::make_unique<Stream>(co_await client.stream(Method::Get, origin.url())));
    co_await settle(origin);
    const std::size_t grown = resident_bytes() - resident_before;
    RecordProperty("resident_bytes_grown", std::to_string(grown));
    if (!kSanitized) {
      EXPECT_LT(grown, kBudget + kStreams * kBytesOfAStream + kBytesAtOnce);
    }
    // Every one gets on, in turn and at once, although none of the others has been emptied.
    for (std::uint64_t up_to : {1ULL, 30'000ULL, 200'000ULL}) {
      for (auto& stream : streams) {
        const bool right = co_await read_on(origin, *stream, up_to);
        EXPECT_TRUE(right);
        if (!right) co_return;
      }
      if (!kSanitized) {
        EXPECT_LT(resident_bytes() - resident_before, kBudget + kStreams * kBytesOfAStream + kBytesAtOnce);
      }
    }
    std::vector<Task<bool>> tasks;
    for (auto& stream : streams) tasks.push_back(read_on(origin, *stream, 300'000));
    for (bool right : co_await when_all(std::move(tasks))) EXPECT_TRUE(right);
    // When all but one are closed, the one has the whole budget: it flows as far as its own limit.
    streams.resize(1);
    EXPECT_EQ(client.pool_stats().connections, 1U);
    const bool right = co_await read_on(origin, *streams.front(), 20 * kMiB);
    EXPECT_TRUE(right);
  });
  expect_quiet(client);
}

TEST_F(BudgetTest, AThousandStalledStreams) {
  thousand_stalled_streams(false);
}
TEST_F(BudgetTest, AThousandStalledChunkedStreams) {
  thousand_stalled_streams(true);
}

TEST_F(BudgetTest, HighAndLowWaterOfOneStream) {
  constexpr std::uint32_t kHigh = 1024 * 1024;
  constexpr std::uint32_t kLow = 200 * 1024;
  EndlessOrigin origin(false);
  AsyncClient client(shard(),
                     ClientOptions().receive_limits({.high_water_bytes = kHigh, .low_water_bytes = kLow}));
  run([&]() -> Task<void> {
    Stream stream(co_await client.stream(Method::Get, origin.url()));
    co_await settle(origin);
    const std::uint64_t sent = origin.sent();
    // Down to well above the low water, nothing more is received.
    bool right = co_await read_on(origin, stream, kHigh - 2 * kLow);
    EXPECT_TRUE(right);
    co_await settle(origin);
    EXPECT_EQ(origin.sent(), sent);
    std::uint64_t arrived = stream.bytes;
    arrived += co_await take_what_has_arrived(origin, stream);
    EXPECT_GE(arrived, kHigh);
    EXPECT_LT(arrived, kHigh + kBytesBeforeItStops);
    co_await settle(origin);
    EXPECT_GT(origin.sent(), sent);
    right = co_await read_on(origin, stream, 8 * kMiB);
    EXPECT_TRUE(right);
  });
  expect_quiet(client);
}

TEST_F(BudgetTest, HighWaterBelowLowWater) {
  EndlessOrigin origin(false);
  AsyncClient client(shard(),
                     ClientOptions().receive_limits({.high_water_bytes = 1, .low_water_bytes = 1'000'000}));
  run([&]() -> Task<void> {
    Stream stream(co_await client.stream(Method::Get, origin.url()));
    const bool right = co_await read_on(origin, stream, 3 * kMiB);
    EXPECT_TRUE(right);
  });
  expect_quiet(client);
}

/// A budget of nothing at all: slow, but it flows, one receive after the other.
TEST_F(BudgetTest, NoBudget) {
  for (bool chunked : {false, true}) {
    EndlessOrigin origin(chunked);
    AsyncClient client(shard(), ClientOptions().receive_limits({.max_queued_bytes = 0}).timeout(kPatience));
    run([&]() -> Task<void> {
      std::vector<std::unique_ptr<Stream>> streams;
      for (int i = 0; i < 10; ++i)
        streams.push_back(std::make_unique<Stream>(co_await client.stream(Method::Get, origin.url())));
      std::vector<Task<bool>> tasks;
      for (auto& stream : streams) tasks.push_back(read_on(origin, *stream, 500'000));
      for (bool right : co_await when_all(std::move(tasks))) EXPECT_TRUE(right);
    });
    expect_quiet(client);
  }
}

/// Buffered requests and other streams go on while a few streams hold the whole budget.
TEST_F(BudgetTest, StalledStreamsHoldNobodyUp) {
  const std::string body = patterned_bytes(1'000'000);
  Peer peer(Peer::answering(ok_response(body)));
  EndlessOrigin origin(false);
  AsyncClient client(shard(),
                     ClientOptions().receive_limits({.max_queued_bytes = 300'000}).timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<std::unique_ptr<Stream>> stalled;
    for (int i = 0; i < 5; ++i)
      stalled.push_back(std::make_unique<Stream>(co_await client.stream(Method::Get, origin.url())));
    co_await settle(origin);
    for (int i = 0; i < 3; ++i) {
      Response response = co_await client.get(peer.url());
      EXPECT_TRUE(response.content() == body);
      StreamingResponse streamed = co_await client.stream(Method::Get, peer.url());
      co_await streamed.discard();
      EXPECT_EQ(streamed.num_bytes_downloaded(), body.size());
    }
    for (auto& stream : stalled) {
      const bool right = co_await read_on(origin, *stream, 2 * kMiB);
      EXPECT_TRUE(right);
    }
  });
  expect_quiet(client);
}

/// An idle connection must be seen to end, although stalled streams leave nothing of the budget for it.
TEST_F(BudgetTest, IdleConnectionsAreStillWatched) {
  Tokens tokens;
  Peer peer([&](PeerConnection& connection) {
    connection.read_request();
    connection.send(ok_response("hello"));
    (void)tokens.take();
  });
  EndlessOrigin origin(false);
  AsyncClient client(shard(), ClientOptions()
                                  .limits({.keepalive_expiry = kNoTimeout})
                                  .receive_limits({.max_queued_bytes = 100'000})
                                  .timeout(kPatience));
  run([&]() -> Task<void> {
    Stream stalled(co_await client.stream(Method::Get, origin.url()));
    co_await settle(origin);
    for (int i = 0; i < 3; ++i) {
      Response response = co_await client.get(peer.url());
      EXPECT_EQ(response.content(), "hello");
      EXPECT_EQ(client.pool_stats().idle, 1U);
      tokens.add();  // the peer closes
      const TimePoint end = Clock::now() + kPatience;
      while (client.pool_stats().idle != 0 && Clock::now() < end) co_await sleep_for(200us);
      EXPECT_EQ(client.pool_stats().idle, 0U);
    }
  });
  tokens.close();
  expect_quiet(client);
}

/// A stream that is dropped gives back what it held of the budget, whatever state it is in: unread, partly
/// read, closed, waiting. Otherwise the client would end up with none.
TEST_F(BudgetTest, IsGivenBack) {
  EndlessOrigin origin(false);
  AsyncClient client(shard(), ClientOptions().receive_limits({.max_queued_bytes = 400'000}));
  run([&]() -> Task<void> {
    for (int i = 0; i < 60; ++i) {
      Stream stream(co_await client.stream(Method::Get, origin.url()));
      if (i % 2 == 0) co_await sleep_for(1ms);
      if (i % 3 != 0) {
        const bool right = co_await read_on(origin, stream, 100'000);
        EXPECT_TRUE(right);
      }
      if (i % 5 == 0) co_await stream.response.close();
      if (i % 7 == 0) (void)co_await with_timeout(100us, stream.response.discard().as_result());
    }
    // Were anything left charged, one stream could not have the whole of it.
    Stream last(co_await client.stream(Method::Get, origin.url()));
    co_await settle(origin);
    const std::uint64_t arrived = co_await take_what_has_arrived(origin, last);
    EXPECT_GE(arrived, 390'000U);
  });
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
