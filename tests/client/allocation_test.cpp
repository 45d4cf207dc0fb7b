// SPDX-License-Identifier: MIT
// A steady stream of requests takes nothing from the heap. This program counts every malloc of the shard's
// thread.
#include <cstddef>
#include <cstdlib>

#include <execinfo.h>

#include "engine/base/compiler.hpp"

#if !SLUICE_ADDRESS_SANITIZER
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
}
#endif

namespace {

constinit thread_local bool counting = false;
constinit thread_local long allocations = 0;

/// The first allocation that is counted shows where it comes from.
[[maybe_unused]] void note_allocation() {
  if (!counting) return;
  if (++allocations != 1) return;
  counting = false;
  void* frames[40];
  backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
  counting = true;
}

}  // namespace

#if !SLUICE_ADDRESS_SANITIZER
// glibc lets a program bring its own malloc; operator new ends up here, too.
extern "C" void* malloc(std::size_t bytes) {
  note_allocation();
  return __libc_malloc(bytes);
}
extern "C" void* calloc(std::size_t count, std::size_t bytes) {
  note_allocation();
  return __libc_calloc(count, bytes);
}
extern "C" void* realloc(void* block, std::size_t bytes) {
  note_allocation();
  return __libc_realloc(block, bytes);
}
#endif

#include <string>

#include <gtest/gtest.h>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class AllocationTest : public ShardTest {
 protected:
  /// How many allocations the second thousand of what `once` does takes.
  template <class Once>
  long allocations_of(Once once) {
    return run([&]() -> Task<long> {
      for (int i = 0; i < 1000; ++i) co_await once();
      allocations = 0;
      counting = true;
      for (int i = 0; i < 1000; ++i) co_await once();
      counting = false;
      co_return allocations;
    });
  }
};

TEST_F(AllocationTest, TheCounterCounts) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "recycled memory is off under AddressSanitizer";
  allocations = 1;  // the first one would show its stack
  counting = true;
  auto* text = new std::string(1000, 'x');
  counting = false;
  EXPECT_EQ(allocations, 3);
  delete text;
}

TEST_F(AllocationTest, RequestsOnAKeptConnection) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "recycled memory is off under AddressSanitizer";
  Peer peer(Peer::answering(ok_response("some body", "Content-Type: text/plain\r\nDate: today\r\n")));
  AsyncClient client(shard());
  const std::string url = peer.url("/some/path?with=query");
  auto get = [&]() -> Task<void> {
    Response response = co_await client.get(url);
    if (response.content() != "some body") throw std::runtime_error("another body");
  };
  EXPECT_EQ(allocations_of(get), 0);
  EXPECT_EQ(client.pool_stats().opened, 1U);
}

TEST_F(AllocationTest, RequestsWithFieldsQueryAndBody) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "recycled memory is off under AddressSanitizer";
  Peer peer(Peer::answering(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n body\r\n0\r\n\r\n"));
  AsyncClient client(shard());
  const std::string url = peer.url(), body(20'000, 'x');
  auto post = [&]() -> Task<void> {
    auto response = co_await client.post(url)
                        .header("X-One", "1")
                        .query("name", "value")
                        .timeout({.read = 3s})
                        .content(body)
                        .as_result();
    if (!response || response->content() != "some body") throw std::runtime_error("another body");
  };
  EXPECT_EQ(allocations_of(post), 0);
}

TEST_F(AllocationTest, StreamedResponses) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "recycled memory is off under AddressSanitizer";
  Peer peer(Peer::answering(ok_response(std::string(50'000, 'x'))));
  AsyncClient client(shard());
  const std::string url = peer.url();
  auto stream = [&]() -> Task<void> {
    StreamingResponse response = co_await client.stream(Method::Get, url);
    auto body = response.iter_raw();
    std::size_t size = 0;
    while (auto chunk = co_await body.next()) size += chunk->size();
    if (size != 50'000) throw std::runtime_error("another body");
  };
  EXPECT_EQ(allocations_of(stream), 0);
}

}  // namespace
}  // namespace sluice
