// SPDX-License-Identifier: MIT
// What a machine may refuse when a shard is made: the error must say what and what to do about it.
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/engine.hpp>
#include <sluice/shard.hpp>

#include "engine/base/compiler.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

template <class Make>
std::string failure_of(Make make) {
  try {
    make();
    return "made";
  } catch (const SystemError& error) {
    return std::to_string(error.system_code()) + " " + std::string(to_string(error.phase())) + ": " +
           error.what();
  } catch (const std::exception& error) {
    return std::string("not a SystemError: ") + error.what();
  }
}

std::string shard_failure(const ShardOptions& options = {}) {
  return failure_of([&] { Shard shard(options); });
}

std::string engine_failure(const EngineOptions& options = {}) {
  return failure_of([&] { Engine engine(options); });
}

struct Refusal {
  int system_call;
  int error;
  const char* advice;  // a part of the sentence
};

TEST(SetUpTest, TheKernelRefusesTheRing) {
  for (const Refusal& refusal : {
           Refusal{SYS_io_uring_setup, ENOSYS, "sluice needs Linux 6.1"},
           Refusal{SYS_io_uring_setup, EPERM, "kernel.io_uring_disabled"},
           Refusal{SYS_io_uring_setup, EACCES, "seccomp"},
           Refusal{SYS_io_uring_setup, ENOMEM, "ulimit -l"},
           Refusal{SYS_io_uring_setup, EMFILE, "ulimit -n"},
           Refusal{SYS_io_uring_setup, EINVAL, "too old"},
           Refusal{SYS_io_uring_setup, EBUSY, "cannot be set up"},
           Refusal{SYS_io_uring_register, ENOMEM, "ulimit -l"},
           Refusal{SYS_io_uring_register, EINVAL, "buffers"},
           Refusal{SYS_eventfd2, EMFILE, "eventfd"},
       }) {
    SCOPED_TRACE("call " + std::to_string(refusal.system_call) + ", errno " + std::to_string(refusal.error));
    auto refuse = [&] { refuse_system_call(refusal.system_call, refusal.error); };
    std::string of_shard = in_child([&] {
      refuse();
      return shard_failure();
    });
    std::string expected = std::to_string(refusal.error) + " setup: SystemError: ";
    EXPECT_TRUE(of_shard.starts_with(expected)) << of_shard;
    EXPECT_NE(of_shard.find(refusal.advice), std::string::npos) << of_shard;
    std::string of_engine = in_child([&] {
      refuse();
      return engine_failure({.shards = 3});
    });
    EXPECT_EQ(of_engine, of_shard);
  }
}

TEST(SetUpTest, NoThreadIsLeftForAnEngine) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "the sanitizer needs clone itself";
  std::string failure = in_child([] {
    refuse_system_call(SYS_clone3, EAGAIN);
    refuse_system_call(SYS_clone, EAGAIN);
    return engine_failure();
  });
  EXPECT_TRUE(failure.starts_with(std::to_string(EAGAIN) + " setup: SystemError: ")) << failure;
}

TEST(SetUpTest, NoDescriptorIsLeft) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "the sanitizers need descriptors themselves";
  // Wherever in the set-up the last one goes, nothing may leak and the sentence must name the limit.
  int before = open_descriptors();
  bool made = false;
  for (int spare = 0; !made; ++spare) {
    SCOPED_TRACE(std::to_string(spare) + " descriptors to spare");
    ASSERT_LT(spare, 20);
    std::string failure = in_child([&] {
      int first_free = dup(0);  // limits are about numbers, so the free ones below the highest count, too
      close(first_free);
      rlimit limit{static_cast<rlim_t>(first_free + spare), static_cast<rlim_t>(first_free + spare)};
      setrlimit(RLIMIT_NOFILE, &limit);
      std::string text = shard_failure();
      limit.rlim_cur = limit.rlim_max;
      int again = dup(0);
      bool leaked = spare > 0 && again != first_free;
      return leaked ? "a descriptor leaked: " + text : text;
    });
    made = failure == "made";
    if (!made) {
      EXPECT_TRUE(failure.starts_with(std::to_string(EMFILE) + " setup: SystemError: ")) << failure;
      EXPECT_NE(failure.find("ulimit -n"), std::string::npos) << failure;
    }
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(SetUpTest, OptionsThatMakeNoSense) {
  struct Row {
    ShardOptions options;
    const char* sentence;
  };
  for (const Row& row : std::vector<Row>{
           {{.ring_entries = 0}, "ring_entries"},
           {{.ring_entries = 1U << 28}, "ring_entries"},
           {{.ring_entries = ~0U}, "ring_entries"},
           {{.buffers = {.count = 0}}, "power of two"},
           {{.buffers = {.count = 3}}, "power of two"},
           {{.buffers = {.count = 65536}}, "power of two"},
           {{.buffers = {.size_bytes = 0}}, "size"},
       }) {
    std::string failure = shard_failure(row.options);
    EXPECT_TRUE(failure.starts_with(std::to_string(EINVAL) + " setup: SystemError: ")) << failure;
    EXPECT_NE(failure.find(row.sentence), std::string::npos) << failure;
  }
  EXPECT_NE(shard_failure({.buffers = {.count = 32768, .size_bytes = ~0U}}), "made");
  EXPECT_NE(engine_failure({.shards = 0}).find("at least one"), std::string::npos);
}

TEST(SetUpTest, SmallestAndOddOptionsWork) {
  Peer peer(Peer::answering(ok_response(patterned_bytes(10'000))));
  for (const ShardOptions& options : {
           ShardOptions{.ring_entries = 1},
           ShardOptions{.ring_entries = 1000},
           ShardOptions{.ring_entries = 1, .buffers = {.count = 1, .size_bytes = 1}},
           ShardOptions{.buffers = {.count = 2, .size_bytes = 7}},
           ShardOptions{.buffers = {.hot_bytes = 0}},
       }) {
    Shard shard(options);
    AsyncClient client(shard, ClientOptions().timeout(kPatience));
    for (int i = 0; i < 3; ++i) {
      auto response = shard.block_on(client.get(peer.url()).as_result());
      EXPECT_TRUE(response) << response.error().what();
    }
  }
}

}  // namespace
}  // namespace sluice
