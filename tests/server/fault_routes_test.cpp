// SPDX-License-Identifier: MIT
// The routes that misbehave, as our client sees them.
#include "engine/server/fault_routes.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/server/server_thread.hpp"

namespace sluice {
namespace {

using namespace testing;

class FaultRoutesTest : public ShardTest {
 protected:
  std::string outcome(std::string_view path) {
    AsyncClient client(shard(), ClientOptions().timeout({.read = 300ms}));
    return outcome_of(get(client, server_.url(path)));
  }
  std::string body(std::string_view path) {
    AsyncClient client(shard());
    auto response = get(client, server_.url(path));
    return response ? std::string(response->content()) : response.error().what();
  }

  ServerThread server_{{}, server::add_fault_routes};
};

TEST_F(FaultRoutesTest, EachFaultHasItsError) {
  EXPECT_EQ(outcome("/fault/close"), "RemoteProtocolError in head");
  EXPECT_EQ(outcome("/fault/reset"), "ReadError in head");
  EXPECT_EQ(outcome("/fault/garbage"), "RemoteProtocolError in head");
  EXPECT_EQ(outcome("/fault/truncate/0"), "RemoteProtocolError in body");
  EXPECT_EQ(outcome("/fault/truncate/100000"), "RemoteProtocolError in body");
  EXPECT_EQ(outcome("/fault/unended/0"), "RemoteProtocolError in body");
  EXPECT_EQ(outcome("/fault/unended/10"), "RemoteProtocolError in body");
  EXPECT_EQ(outcome("/fault/gzip"), "DecodingError in body");
  EXPECT_EQ(outcome("/fault/stall"), "ReadTimeout in body");
}

TEST_F(FaultRoutesTest, SlowBodiesArriveWhole) {
  EXPECT_EQ(body("/fault/slow/5"), "xxxxx");
}

TEST_F(FaultRoutesTest, WrongCountsAreRefused) {
  for (std::string_view path : {"/fault/truncate/x", "/fault/unended/", "/fault/slow/1000000000"})
    EXPECT_EQ(body(path), "400 Bad Request\n");
}

TEST_F(FaultRoutesTest, AResetHarmsNoOtherConnection) {
  AsyncClient client(shard());
  ASSERT_TRUE(get(client, server_.url("/bytes/1")));
  EXPECT_FALSE(get(client, server_.url("/fault/reset")));
  auto response = get(client, server_.url("/bytes/3"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->content(), "012");
}

}  // namespace
}  // namespace sluice
