// SPDX-License-Identifier: MIT
// What goes wrong, and what the client says about it.
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/support/shard_test.hpp"

namespace sluice {
namespace {

using namespace testing;

constexpr Duration kShort = 40ms;

class ErrorsTest : public ShardTest {
 protected:
  /// The error of a request that must fail.
  Error error_of(RequestBuilder builder) {
    auto result = run(std::move(builder).as_result());
    if (!result) return result.error();
    ADD_FAILURE() << "the request succeeded";
    return Error(ErrorKind::http_status_error, Phase::none, "");
  }
  void expect_works_afterwards(AsyncClient& client) {
    expect_quiet(client);
    Peer peer(Peer::answering_once(ok_response()));
    auto response = get(client, peer.url());
    EXPECT_TRUE(response) << response.error().what();
  }
};

// ---- connecting

TEST_F(ErrorsTest, NobodyListens) {
  ClosedPort nobody;
  AsyncClient client(shard());
  Error error = error_of(client.get(nobody.url()));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in connect");
  EXPECT_EQ(error.system_code(), ECONNREFUSED);
  EXPECT_EQ(error.facts().peer, nobody.address().str());
  EXPECT_EQ(error.facts().request, "GET " + nobody.url());
  EXPECT_EQ(error.facts().bytes_sent, 0U);
  EXPECT_TRUE(error.safe_to_retry());
  EXPECT_NE(std::string(error.what()).find("connection refused"), std::string::npos) << error.what();
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, EveryAddressIsTriedAndNamed) {
  ClosedPort nobody;
  AsyncClient client(shard());
  Error error = error_of(client.get("http://sub.localhost:" + std::to_string(nobody.address().port()) + "/"));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in connect");
  EXPECT_NE(std::string(error.what()).find("127.0.0.1:"), std::string::npos) << error.what();
  EXPECT_NE(std::string(error.what()).find("[::1]:"), std::string::npos) << error.what();
}

TEST_F(ErrorsTest, SecondAddressIsUsedWhenTheFirstRefuses) {
  Peer peer(Peer::answering(ok_response("six")), loopback("::1"));
  ClosedPort unused;
  AsyncClient client(shard());
  auto response = get(client, "http://sub.localhost:" + std::to_string(peer.port()) + "/");
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->content(), "six");
  expect_quiet(client);
}

TEST_F(ErrorsTest, UnknownHost) {
  AsyncClient client(shard());
  Error error = error_of(client.get("http://no-such-host.invalid/a?b"));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in resolve");
  EXPECT_EQ(error.facts().request, "GET http://no-such-host.invalid/a");
  EXPECT_TRUE(error.safe_to_retry());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, UnreachableAddress) {
  AsyncClient client(shard());
  Error error =
      error_of(client.get("http://255.255.255.255/"));  // the kernel itself refuses to connect there
  EXPECT_EQ(kind_and_phase(error), "ConnectError in connect");
  EXPECT_EQ(error.system_code(), ENETUNREACH);
  EXPECT_EQ(error.facts().peer, "255.255.255.255:80");
  EXPECT_TRUE(error.safe_to_retry());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, UnixSocketThatIsNotThere) {
  AsyncClient client(shard(), ClientOptions().unix_socket("/no/such/socket"));
  Error error = error_of(client.get("http://h/"));
  EXPECT_EQ(kind_and_phase(error), "ConnectError in connect");
  EXPECT_EQ(error.system_code(), ENOENT);
  EXPECT_EQ(error.facts().peer, "unix:/no/such/socket");
}

TEST_F(ErrorsTest, UnixSocketPathThatIsTooLong) {
  AsyncClient client(shard(), ClientOptions().unix_socket(std::string(108, 'x')));
  EXPECT_EQ(error_of(client.get("http://h/")).kind(), ErrorKind::connect_error);
}

// ---- the four timeouts

TEST_F(ErrorsTest, ConnectTimeout) {
  DeafPeer peer;
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  TimePoint start = Clock::now();
  Error error = error_of(client.get(peer.url()).timeout({.connect = kShort}));
  EXPECT_GE(Clock::now() - start, kShort);
  EXPECT_EQ(kind_and_phase(error), "ConnectTimeout in connect");
  EXPECT_EQ(error.facts().peer, peer.address().str());
  EXPECT_TRUE(error.safe_to_retry());
  EXPECT_TRUE(error.is_timeout());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, ReadTimeoutInTheHead) {
  Peer peer(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  TimePoint start = Clock::now();
  Error error = error_of(client.get(peer.url()).timeout({.read = kShort}));
  EXPECT_GE(Clock::now() - start, kShort);
  EXPECT_EQ(kind_and_phase(error), "ReadTimeout in head");
  EXPECT_GT(error.facts().bytes_sent, 0U);
  EXPECT_EQ(error.facts().bytes_received, 0U);
  EXPECT_FALSE(error.safe_to_retry());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, ReadTimeoutInTheBody) {
  const std::string part = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send(part);
    connection.ending.wait();
  });
  AsyncClient client(shard(), ClientOptions().timeout({.read = kShort}));
  Error error = error_of(client.get(peer.url("/p?secret=1")));
  EXPECT_EQ(kind_and_phase(error), "ReadTimeout in body");
  EXPECT_EQ(error.facts().bytes_received, part.size());
  EXPECT_EQ(error.facts().request, "GET " + peer.url("/p"));
  EXPECT_EQ(error.facts().peer, peer.authority());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, ReadTimeoutIsForEachReadAndNotForTheWhole) {
  // Ten pieces, each well within the time-out, all together well beyond it.
  constexpr Duration kTimeout = 300ms, kPause = 50ms;
  Peer peer([&](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(kPause);  // what is tested is time itself
      connection.send("x");
    }
  });
  AsyncClient client(shard(), ClientOptions().timeout({.read = kTimeout}));
  auto response = get(client, peer.url());
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_GT(response->elapsed(), kTimeout);
}

TEST_F(ErrorsTest, WriteTimeout) {
  Peer peer([](PeerConnection& connection) {
    connection.shrink_receive_buffer();
    connection.ending.wait();
  });
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  std::string body = patterned_bytes(20'000'000);
  TimePoint start = Clock::now();
  Error error = error_of(client.post(peer.url()).content(body).timeout({.write = kShort}));
  EXPECT_GE(Clock::now() - start, kShort);
  EXPECT_EQ(kind_and_phase(error), "WriteTimeout in write");
  EXPECT_LT(error.facts().bytes_sent, body.size());
  EXPECT_FALSE(error.safe_to_retry());
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, ReadTimeoutStartsAfterAnUploadThatTakesLonger) {
  constexpr Duration kReadTimeout = 150ms;
  std::string body = patterned_bytes(8'000'000);
  Peer peer([&](PeerConnection& connection) {
    connection.shrink_receive_buffer(64 * 1024);
    std::this_thread::sleep_for(2 * kReadTimeout);  // what is tested is time itself
    connection.read_request();
    connection.send(ok_response());
  });
  AsyncClient client(shard(), ClientOptions().timeout(kPatience));
  auto response = run(client.post(peer.url()).content(body).timeout({.read = kReadTimeout}).as_result());
  EXPECT_TRUE(response) << response.error().what();
}

TEST_F(ErrorsTest, PoolTimeout) {
  Peer silent(Peer::silent());
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout).limits({.max_connections = 1}));
  auto outcome = run([&]() -> Task<Error> {
    Background holder(client.get(silent.url()).as_result());
    co_await yield();
    TimePoint start = Clock::now();
    auto result = co_await client.get(silent.url("/second?x")).timeout({.pool = kShort}).as_result();
    EXPECT_GE(Clock::now() - start, kShort);
    EXPECT_EQ(client.pool_stats().connections, 1U);
    co_return result ? Error(ErrorKind::http_status_error, Phase::none, "none") : result.error();
  });
  EXPECT_EQ(kind_and_phase(outcome), "PoolTimeout in pool");
  EXPECT_EQ(outcome.facts().request, "GET " + silent.url("/second"));
  EXPECT_EQ(outcome.facts().bytes_sent, 0U);
  EXPECT_NE(std::string(outcome.what()).find(" 1 "), std::string::npos)
      << "the limit is not named: " << outcome.what();
  expect_works_afterwards(client);
}

TEST_F(ErrorsTest, TimeoutsAtTheEdges) {
  Peer peer(Peer::answering(ok_response()));
  AsyncClient client(shard());
  for (Duration timeout : {kNoTimeout, kNoTimeout - 1ns, kNoTimeout / 2, Duration(24h)}) {
    auto response = run(client.get(peer.url()).timeout(timeout).as_result());
    EXPECT_TRUE(response) << timeout.count() << ": " << response.error().what();
  }
  Peer silent(Peer::silent());
  for (Duration timeout : {Duration(0), Duration(-1s), Duration(1ns)}) {
    Error error = error_of(client.get(silent.url()).timeout(timeout));
    EXPECT_TRUE(error.is_timeout()) << timeout.count() << ": " << error.what();
  }
  // A pool time-out of nothing is no reason to refuse a place that is free.
  EXPECT_TRUE(run(client.get(peer.url()).timeout({.pool = 0s}).as_result()));
  expect_quiet(client);
}

TEST_F(ErrorsTest, DefaultIsFiveSecondsAndARequestMayStateItsOwn) {
  Peer silent(Peer::silent());
  AsyncClient patient(shard());
  AsyncClient hasty(shard(), ClientOptions().timeout(kShort));
  EXPECT_EQ(error_of(hasty.get(silent.url())).kind(), ErrorKind::read_timeout);
  TimePoint start = Clock::now();
  EXPECT_EQ(error_of(patient.get(silent.url())).kind(), ErrorKind::read_timeout);
  EXPECT_GE(Clock::now() - start, 5s);
}

TEST_F(ErrorsTest, AReplyThatIsThereInTimeIsNoTimeoutHoweverBusyTheShard) {
  // The shard is kept busy beyond the time-out while the reply lies in the socket.
  std::atomic<bool> asked{false};
  Gate hold;
  Peer peer([&](PeerConnection& connection) {
    while (connection.read_request()) {
      asked = true;
      hold.wait();
      connection.send(ok_response("in time"));
    }
  });
  AsyncClient client(shard(), ClientOptions().timeout({.read = 100ms}));
  auto response = run([&]() -> Task<Result<Response>> {
    Background request(client.get(peer.url()).as_result());
    while (!asked) co_await yield();
    hold.open();
    std::this_thread::sleep_for(250ms);
    EXPECT_TRUE(co_await request.wait());
    co_return request.take();
  });
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(client.pool_stats().idle, 1U);
}

// ---- limits

struct LimitRow {
  const char* name;
  ReceiveLimits limits;
  std::string response;
  const char* outcome;
};

TEST_F(ErrorsTest, LimitsOnWhatAPeerMaySend) {
  auto fields = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "A" + std::to_string(i) + ": b\r\n";
    return text;
  };
  std::string informational;
  for (int i = 0; i < 3; ++i) informational += "HTTP/1.1 102 Processing\r\n\r\n";
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n";
  const std::vector<LimitRow> rows = {
      {"head too large",
       {.max_head_bytes = 200},
       ok_response("", "X: " + std::string(300, 'x') + "\r\n"),
       "RemoteProtocolError in head"},
      {"head just right",
       {.max_head_bytes = 400},
       ok_response("", "X: " + std::string(300, 'x') + "\r\n"),
       "ok"},
      {"default head limit",
       {},
       ok_response("", "X: " + std::string(100 * 1024, 'x') + "\r\n"),
       "RemoteProtocolError in head"},
      {"endless status line",
       {},
       "HTTP/1.1 200 " + std::string(200 * 1024, 'x'),
       "RemoteProtocolError in head"},
      {"too many fields",
       {.max_header_count = 10},
       ok_response("", fields(10)),
       "RemoteProtocolError in head"},
      {"fields just right", {.max_header_count = 11}, ok_response("", fields(10)), "ok"},
      {"default field limit", {}, ok_response("", fields(256)), "RemoteProtocolError in head"},
      {"too many 1xx",
       {.max_informational_responses = 2},
       informational + ok_response(),
       "RemoteProtocolError in head"},
      {"1xx just right", {.max_informational_responses = 3}, informational + ok_response(), "ok"},
      {"counted body too large",
       {.max_buffered_body_bytes = 15},
       ok_response("1234567812345678"),
       "LimitExceeded in body"},
      {"counted body just right", {.max_buffered_body_bytes = 16}, ok_response("1234567812345678"), "ok"},
      {"chunked body too large", {.max_buffered_body_bytes = 15}, chunked, "LimitExceeded in body"},
      {"chunked body just right", {.max_buffered_body_bytes = 16}, chunked, "ok"},
      {"announced far too large",
       {},
       "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nx",
       "RemoteProtocolError in body"},
  };
  for (const LimitRow& row : rows) {
    SCOPED_TRACE(row.name);
    Peer peer(Peer::answering_once(row.response));
    AsyncClient client(shard(), ClientOptions().receive_limits(row.limits));
    EXPECT_EQ(outcome_of(get(client, peer.url())), row.outcome);
    EXPECT_TRUE(turn_until([&] { return client.pool_stats().connections == 0; }));
    expect_sockets(0);
  }
}

TEST_F(ErrorsTest, EndlessBodyEndsAtTheLimit) {
  Peer peer([](PeerConnection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.send(std::string(100'000, 'x'))) {
    }
  });
  AsyncClient client(shard(), ClientOptions().receive_limits({.max_buffered_body_bytes = 1'000'000}));
  Error error = error_of(client.get(peer.url("/big?x")));
  EXPECT_EQ(kind_and_phase(error), "LimitExceeded in body");
  EXPECT_EQ(error.facts().request, "GET " + peer.url("/big"));
  EXPECT_EQ(error.facts().peer, peer.authority());
  EXPECT_TRUE(eventually([&] { return peer.ended_connections() == 1; })) << "the connection is still open";
  expect_works_afterwards(client);
}

// ---- the machine

TEST_F(ErrorsTest, NoDescriptorIsLeft) {
  if (SLUICE_ADDRESS_SANITIZER) GTEST_SKIP() << "the sanitizers need descriptors themselves";
  Peer peer(Peer::answering(ok_response()));
  AsyncClient client(shard(), ClientOptions().limits({.max_keepalive_connections = 0}));
  ASSERT_TRUE(get(client, peer.url()));
  expect_sockets(0);
  ASSERT_TRUE(eventually([&] { return peer.ended_connections() == 1; }));
  Task<Result<Response>> request = client.get(peer.url()).as_result();
  Shard& loop = shard();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  auto response = loop.block_on(std::move(request));
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(response);
  const Error& error = response.error();
  EXPECT_EQ(kind_and_phase(error), "ConnectError in connect");
  EXPECT_EQ(error.system_code(), EMFILE);
  EXPECT_NE(std::string(error.what()).find("ulimit -n"), std::string::npos) << error.what();
  EXPECT_TRUE(error.safe_to_retry());
  expect_works_afterwards(client);
}

// ---- closing

TEST_F(ErrorsTest, ClientClosedBefore) {
  Peer peer(Peer::answering(ok_response()));
  AsyncClient client(shard());
  ASSERT_TRUE(get(client, peer.url()));
  EXPECT_FALSE(client.is_closed());
  client.close();
  client.close();
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(error_of(client.get(peer.url())).kind(), ErrorKind::client_closed);
  EXPECT_EQ(outcome_of(run(client.stream(Method::Get, peer.url()).as_result())), "ClientClosed in pool");
  expect_sockets(0);
}

struct ClosedIn {
  const char* name;
  Peer::Script script;
  const char* outcome;
};

TEST_F(ErrorsTest, ClientClosedDuringARequest) {
  const std::string large = patterned_bytes(20'000'000);
  std::atomic<bool> reached{false};
  auto silent_after = [&](std::string bytes) {
    return [&reached, bytes](PeerConnection& connection) {
      connection.shrink_receive_buffer();
      connection.read_head();
      connection.send(bytes);
      reached = true;
      connection.ending.wait();
    };
  };
  const std::vector<ClosedIn> rows = {
      {"head", silent_after(""), "ClientClosed in head"},
      {"body", silent_after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour"), "ClientClosed in body"},
      {"write", silent_after(""), "ClientClosed in write"},
  };
  for (const ClosedIn& row : rows) {
    SCOPED_TRACE(row.name);
    reached = false;
    Peer peer(row.script);
    auto client = std::make_unique<AsyncClient>(shard(), ClientOptions().timeout(kNoTimeout));
    auto builder = client->post(peer.url());
    if (row.name == "write"sv) builder.content(large);
    auto result = run([&]() -> Task<Result<Response>> {
      Background request(std::move(builder).as_result());
      while (!reached) co_await sleep_for(1ms);
      co_await sleep_for(5ms);  // what was sent last arrives; were it late, the test would fail and not pass
      client.reset();
      EXPECT_TRUE(co_await request.wait());
      co_return request.take();
    });
    EXPECT_EQ(outcome_of(result), row.outcome);
    expect_sockets(0);
  }
}

TEST_F(ErrorsTest, ClientClosedWhileConnecting) {
  DeafPeer deaf;
  AsyncClient client(shard(), ClientOptions().timeout(kNoTimeout));
  auto result = run([&]() -> Task<Result<Response>> {
    Background request(client.get(deaf.url()).as_result());
    co_await sleep_for(10ms);
    client.close();
    bool ended = co_await request.wait(3s);
    if (!ended) co_return Error(ErrorKind::deadline_exceeded, Phase::none, "close() did not end the request");
    co_return request.take();
  });
  EXPECT_EQ(outcome_of(result), "ClientClosed in connect");
  expect_sockets(0);
}

// ---- texts and classes

TEST_F(ErrorsTest, ErrorTextsCarryNoCredentials) {
  ClosedPort nobody;
  AsyncClient client(shard());
  std::string authority = nobody.address().str();
  for (std::string url :
       {"http://user:hunter2@" + authority + "/p?token=hunter2#hunter2",
        "https://user:hunter2@" + authority + "/?token=hunter2",
        "//user:hunter2@" + authority + "/?token=hunter2", "http://user:hunter2@/?token=hunter2"s}) {
    Error error = error_of(client.get(url));
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
    EXPECT_EQ(error.facts().request.find("hunter2"), std::string::npos) << error.facts().request;
  }
  Peer peer(Peer::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
  auto response = get(client, "http://user:hunter2@" + peer.authority() + "/p");
  ASSERT_TRUE(response);
  try {
    response->raise_for_status();
    ADD_FAILURE() << "404 raised nothing";
  } catch (const HTTPStatusError& error) {
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
  }
}

template <class Thrown>
bool throws(Shard& shard, RequestBuilder builder) {
  auto body = [&]() -> Task<bool> {
    try {
      (void)co_await std::move(builder);
    } catch (const Thrown&) {
      co_return true;
    }
    co_return false;
  };
  return shard.block_on(body());
}

TEST_F(ErrorsTest, AwaitingThrowsTheClassOfTheKind) {
  ClosedPort nobody;
  Peer silent(Peer::silent());
  Peer rude(Peer::answering_once("not HTTP"));
  AsyncClient client(shard(), ClientOptions().timeout(kShort));
  EXPECT_TRUE(throws<ConnectError>(shard(), client.get(nobody.url())));
  EXPECT_TRUE(throws<NetworkError>(shard(), client.get(nobody.url())));
  EXPECT_TRUE(throws<TransportError>(shard(), client.get(nobody.url())));
  EXPECT_TRUE(throws<Error>(shard(), client.get(nobody.url())));
  EXPECT_TRUE(throws<std::exception>(shard(), client.get(nobody.url())));
  EXPECT_TRUE(throws<ReadTimeout>(shard(), client.get(silent.url())));
  EXPECT_TRUE(throws<TimeoutException>(shard(), client.get(silent.url())));
  EXPECT_TRUE(throws<RemoteProtocolError>(shard(), client.get(rude.url())));
  EXPECT_TRUE(throws<LocalProtocolError>(shard(), client.get(rude.url()).header("a b", "c")));
  EXPECT_TRUE(throws<UnsupportedProtocol>(shard(), client.get("ftp://h/")));
  EXPECT_TRUE(throws<InvalidURL>(shard(), client.get("http://h:x/")));
}

TEST_F(ErrorsTest, EveryKindHasItsNameAndItsClass) {
  for (int i = 0; i <= int(ErrorKind::limit_exceeded); ++i) {
    Error error(static_cast<ErrorKind>(i), Phase::none, "text");
    EXPECT_NE(to_string(error.kind()), "Error");
    EXPECT_EQ(std::string(error.what()), std::string(to_string(error.kind())) + ": text");
    bool transport = false, other = false;
    try {
      error.raise();
    } catch (const TransportError&) {
      transport = true;
    } catch (const Error&) {
      other = true;
    }
    EXPECT_TRUE(transport || other);
    EXPECT_EQ(transport, error.is_transport_error()) << error.what();
  }
}

}  // namespace
}  // namespace sluice
