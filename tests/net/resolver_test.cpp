// SPDX-License-Identifier: MIT
#include "engine/net/resolver.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/shard_test.hpp"

namespace sluice::net {
namespace {

using namespace sluice::testing;

class ResolverTest : public ShardTest {
 protected:
  ~ResolverTest() override { unlink(path_.c_str()); }

  /// Each content gets a time of its own, so that the resolver sees the change however coarse the clock is.
  void write_hosts(const std::string& text) {
    std::ofstream(path_, std::ios::trunc) << text;
    timespec times[2] = {{++time_, 0}, {time_, 0}};
    utimensat(AT_FDCWD, path_.c_str(), times, 0);
  }
  std::string resolve(const std::string& host) {
    auto addresses = run(resolver_.resolve(host, 80));
    if (!addresses) return outcome_of(addresses);
    std::string text;
    for (const Address& address : *addresses) text += (text.empty() ? "" : " ") + address.str();
    return text;
  }

  static std::string temporary_file() {
    std::string path = "/tmp/sluice-hosts-XXXXXX";
    close(mkstemp(path.data()));
    return path;
  }

  std::string path_ = temporary_file();
  time_t time_ = 1'000'000'000;
  HostsFileResolver resolver_{path_};
};

TEST_F(ResolverTest, LinesOfAHostsFile) {
  write_hosts(
      "# a comment\n"
      "1.2.3.4 one one.example\n"
      "\n"
      "  \t5.6.7.8\ttwo   # not-a-name\n"
      "::2 one\n"
      "not-an-address broken\n"
      "9.9.9.9\n"
      "9.9.9.10 UPPER\r\n"
      "9.9.9.11 last");
  EXPECT_EQ(resolve("one"), "1.2.3.4:80 [::2]:80");
  EXPECT_EQ(resolve("ONE.example"), "1.2.3.4:80");
  EXPECT_EQ(resolve("one.example."), "1.2.3.4:80");
  EXPECT_EQ(resolve("two"), "5.6.7.8:80");
  EXPECT_EQ(resolve("upper"), "9.9.9.10:80");
  EXPECT_EQ(resolve("last"), "9.9.9.11:80");
  for (const char* unknown : {"not-a-name", "broken", "sub.one", "on", "", ".", "a comment"})
    EXPECT_EQ(resolve(unknown), "ConnectError in resolve") << unknown;
}

TEST_F(ResolverTest, ChangesAreSeen) {
  write_hosts("1.1.1.1 name\n");
  EXPECT_EQ(resolve("name"), "1.1.1.1:80");
  write_hosts("2.2.2.2 name\n");
  EXPECT_EQ(resolve("name"), "2.2.2.2:80");
  unlink(path_.c_str());
  EXPECT_EQ(resolve("name"), "ConnectError in resolve");
  write_hosts("3.3.3.3 name\n");
  EXPECT_EQ(resolve("name"), "3.3.3.3:80");
}

TEST_F(ResolverTest, LocalhostNeedsNoFile) {
  unlink(path_.c_str());
  for (const char* name : {"localhost", "LocalHost", "localhost.", "a.localhost", "a.b.localhost."})
    EXPECT_EQ(resolve(name), "127.0.0.1:80 [::1]:80") << name;
  for (const char* name : {"notlocalhost", "localhost.example", "localhos"})
    EXPECT_EQ(resolve(name), "ConnectError in resolve") << name;
  write_hosts("127.0.0.9 localhost\n");
  EXPECT_EQ(resolve("localhost"), "127.0.0.9:80");
}

}  // namespace
}  // namespace sluice::net
