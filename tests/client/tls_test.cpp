// SPDX-License-Identifier: MIT
// https as a caller sees it: what is verified, what is negotiated, how connections end and are resumed.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/combinators.hpp>

#include "tests/support/shard_test.hpp"
#include "tests/support/tls_peer.hpp"

namespace sluice {
namespace {

using namespace testing;

class TlsTest : public ShardTest {
 protected:
  ClientOptions trusting(TlsOptions options = {}) {
    return ClientOptions().tls(TlsContext(options.ca_file(root_.certificate())));
  }
  Error error_of(AsyncClient& client, const std::string& url) {
    auto result = get(client, url);
    if (!result) return result.error();
    ADD_FAILURE() << "the request succeeded";
    return Error(ErrorKind::http_status_error, Phase::none, "");
  }

  Authority root_;
};

TEST_F(TlsTest, GetByNameAndByAddress) {
  ServerContext server(root_.issue());
  Peer peer(answering_over_tls(server, ok_response("secret")));
  AsyncClient client(shard(), trusting());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    auto response = get(client, https_url(peer, "/", host));
    ASSERT_TRUE(response) << response.error().what();
    EXPECT_EQ(response->content(), "secret");
    ASSERT_TRUE(response->tls());
    EXPECT_EQ(response->tls()->version(), "TLSv1.3");
    EXPECT_EQ(response->tls()->subject(), "CN=test server");
    EXPECT_EQ(response->tls()->issuer(), "CN=Test Root");
  }
  expect_quiet(client);
}

}  // namespace
}  // namespace sluice
