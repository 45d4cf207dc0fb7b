// SPDX-License-Identifier: MIT
// What a client puts on the wire.
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

class RequestTest : public ShardTest {
 protected:
  ~RequestTest() override = default;

  /// Sends a request and gives what the peer has read.
  ReceivedRequest wire(AsyncClient& client, Request request) {
    auto response = run(client.send(std::move(request)).as_result());
    EXPECT_TRUE(response) << response.error().what();
    return log_.last();
  }

  RequestLog log_;
};

TEST_F(RequestTest, DefaultFieldsInTheirOrder) {
  Peer peer(log_.answering());
  AsyncClient client(shard());
  auto request = wire(client, client.build_request(Method::Get, peer.url("/a?b=c")));
  EXPECT_EQ(request.head, "GET /a?b=c HTTP/1.1\r\nHost: " + peer.authority() +
                              "\r\nAccept: */*\r\nConnection: keep-alive\r\nUser-Agent: sluice/0.1.0\r\n\r\n");
}

}  // namespace
}  // namespace sluice
