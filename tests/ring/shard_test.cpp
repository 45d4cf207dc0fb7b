// SPDX-License-Identifier: MIT
// Shards as a whole: making them, running them, letting them go.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <thread>

#include <sluice/combinators.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class ShardLifeTest : public ShardTest {};

TEST_F(ShardLifeTest, GivesTheValueOrTheException) {
  EXPECT_EQ(run([]() -> Task<int> { co_return 7; }), 7);
  EXPECT_THROW(run([]() -> Task<int> {
                 throw std::runtime_error("no");
                 co_return 0;
               }),
               std::runtime_error);
  EXPECT_EQ(run([]() -> Task<int> {
              co_await sleep_for(1ms);
              co_return 8;
            }),
            8);
}

TEST_F(ShardLifeTest, TheOneLinerMakesAShardOfItsOwn) {
  auto task = []() -> Task<int> {
    co_await yield();
    co_return 5;
  };
  EXPECT_EQ(sluice::run(task()), 5);
}

TEST_F(ShardLifeTest, SleepsAreNeverTooShortAndNotMuchTooLong) {
  run([]() -> Task<void> {
    for (auto duration : {0us, 100us, 1500us, 10'000us, 70'000us}) {
      TimePoint start = Clock::now();
      co_await sleep_for(duration);
      EXPECT_GE(Clock::now() - start, duration);
      EXPECT_LT(Clock::now() - start, duration + 5s);
    }
  });
}

TEST_F(ShardLifeTest, ShutdownWithAClientThatIsStillThere) {
  Peer peer([](PeerConnection& connection) {
    while (!connection.read_head().empty()) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  std::optional<AsyncClient> client(std::in_place, shard());
  ASSERT_TRUE(get(*client, peer.url()));
  EXPECT_EQ(client->pool_stats().idle, 1U);
  {
    Shard other;  // a second shard on the same thread is none of the first one's business
    AsyncClient there(other);
    auto result = other.block_on(there.get(peer.url()).as_result());
    EXPECT_TRUE(result);
  }
  EXPECT_TRUE(get(*client, peer.url()));
  shard().post([] {});
  client.reset();
}

TEST_F(ShardLifeTest, AClientThatOutlivesItsShardIsClosed) {
  Peer peer([](PeerConnection& connection) {
    while (!connection.read_head().empty()) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  std::optional<Shard> brief(std::in_place);
  AsyncClient client(*brief);
  ASSERT_TRUE(brief->block_on(client.get(peer.url()).as_result()));
  brief.reset();
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(client.pool_stats().connections, 0U);
  EXPECT_EQ(outcome_of(get(client, peer.url())), "ClientClosed in pool");
}

TEST_F(ShardLifeTest, MoreOperationsThanTheRingHasEntries) {
  set_up_shard({.ring_entries = 4});
  Peer peer([](PeerConnection& connection) {
    while (!connection.read_head().empty()) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  run([&]() -> Task<void> {
    std::vector<Task<Response>> requests;
    auto one = [](AsyncClient& c, std::string url) -> Task<Response> { co_return co_await c.get(url); };
    for (int i = 0; i < 60; ++i) requests.push_back(one(client, peer.url()));
    auto responses = co_await when_all(std::move(requests));
    EXPECT_EQ(responses.size(), 60U);
  });
  expect_quiet(client);
}

// ---- machines that refuse

/// Runs a check in a process of its own, whose limits and filters do not matter to the rest.
int in_child(const std::function<int()>& check) {
  pid_t child = fork();
  if (child == 0) _exit(check());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// From now on io_uring_setup fails with `code`, as under a container's seccomp profile.
void forbid_io_uring(int code) {
  auto failing = static_cast<std::uint32_t>(SECCOMP_RET_ERRNO | (code & SECCOMP_RET_DATA));
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, failing),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(77);
}

/// What making a shard says: 0 if the text has the words that help.
int shard_fails_with(int code, const char* words) {
  try {
    Shard shard;
  } catch (const SystemError& error) {
    bool right = error.system_code() == code && std::strstr(error.what(), words) != nullptr;
    if (!right) std::fprintf(stderr, "said: %s\n", error.what());
    return right ? 0 : 1;
  }
  return 2;
}

TEST(ShardRefusedTest, NoIoUringInTheKernel) {
  EXPECT_EQ(in_child([] { return forbid_io_uring(ENOSYS), shard_fails_with(ENOSYS, "Linux 6.1"); }), 0);
}
TEST(ShardRefusedTest, IoUringIsNotPermitted) {
  EXPECT_EQ(in_child([] { return forbid_io_uring(EPERM), shard_fails_with(EPERM, "kernel.io_uring_disabled"); }), 0);
}
TEST(ShardRefusedTest, KernelTooOld) {
  EXPECT_EQ(in_child([] { return forbid_io_uring(EINVAL), shard_fails_with(EINVAL, "too old"); }), 0);
}
TEST(ShardRefusedTest, NoLockedMemory) {
  EXPECT_EQ(in_child([] { return forbid_io_uring(ENOMEM), shard_fails_with(ENOMEM, "ulimit -l"); }), 0);
}
TEST(ShardRefusedTest, NoDescriptorsLeft) {
  EXPECT_EQ(in_child([] {
              rlimit few{3, 3};  // standard input, output and error
              setrlimit(RLIMIT_NOFILE, &few);
              return shard_fails_with(EMFILE, "ulimit -n");
            }),
            0);
}
TEST(ShardRefusedTest, OptionsThatMakeNoSense) {
  for (std::uint32_t count : {0U, 3U, 65536U}) {
    EXPECT_THROW(Shard({.buffers = {.count = count}}), SystemError) << count;
  }
  EXPECT_THROW(Shard({.buffers = {.size_bytes = 0}}), SystemError);
}

}  // namespace
}  // namespace sluice
