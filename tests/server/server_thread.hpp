// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>

#include <sluice/detail/executor.hpp>
#include <sluice/shard.hpp>

#include "engine/server/server.hpp"
#include "engine/server/standard_routes.hpp"
#include "tests/support/shard_test.hpp"

namespace sluice::testing {

/// A server on a thread and shard of its own, with the standard routes and those that the test adds.
class ServerThread {
 public:
  using SetUp = std::function<void(server::Server&)>;

  explicit ServerThread(const server::ServerOptions& options = {}, SetUp set_up = nullptr,
                        net::Address address = loopback())
      : thread_([this, options, set_up = std::move(set_up), address] { live(options, set_up, address); }) {
    address_ = bound_.get_future().get();
  }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;
  ~ServerThread() { stop(0ms); }

  const net::Address& address() const { return address_; }
  std::string url(std::string_view path) const { return "http://" + address_.str() + std::string(path); }

  /// Begins Server::stop().
  void begin_stop(Duration grace) {
    if (stopping_) return;
    stopping_ = true;
    shard_->post([this, grace] {
      grace_ = grace;
      stop_.notify();
    });
  }
  /// Stops, waits, and looks at the ledgers.
  void stop(Duration grace) {
    if (!thread_.joinable()) return;
    begin_stop(grace);
    thread_.join();
    EXPECT_EQ(last_stats_.open_sockets, 0U);
    EXPECT_EQ(last_stats_.leases_out, 0U);
  }
  /// How many connections the server has at this moment.
  std::size_t connections() {
    return ask([this] { return server_->connections(); });
  }
  ShardStats stats() {
    return ask([this] { return shard_->stats(); });
  }

 private:
  /// What a function gives on the server's thread.
  template <class F>
  std::invoke_result_t<F&> ask(F function) {
    std::promise<std::invoke_result_t<F&>> answer;
    shard_->post([&] { answer.set_value(function()); });
    return answer.get_future().get();
  }

  void live(const server::ServerOptions& options, const SetUp& set_up, const net::Address& address) {
    Shard shard;
    server::Server server(shard.loop(), options);
    server::add_standard_routes(server);
    if (set_up) set_up(server);
    shard_ = &shard;
    server_ = &server;
    shard.block_on(serve(shard, server, address));
    last_stats_ = shard.stats();
  }
  Task<void> serve(Shard& shard, server::Server& server, net::Address address) {
    bound_.set_value(server.listen(address).value());
    co_await stop_.wait();
    co_await server.stop(grace_);
    EXPECT_EQ(server.connections(), 0U);
    for (TimePoint end = Clock::now() + kPatience; shard.stats().open_sockets != 0 && Clock::now() < end;)
      co_await sleep_for(200us);
  }

  std::promise<net::Address> bound_;
  net::Address address_;
  Shard* shard_ = nullptr;
  server::Server* server_ = nullptr;
  detail::WaitPoint stop_;
  Duration grace_{};
  bool stopping_ = false;
  ShardStats last_stats_;
  std::thread thread_;
};

struct ReceivedResponse {
  std::string head;  // with its blank line; empty if the connection ended
  std::string body;

  int status() const { return head.size() < 12 ? 0 : std::atoi(head.c_str() + 9); }
  std::string field(std::string_view name) const { return ReceivedRequest{head, ""}.field(name); }
};

/// A client of plain blocking calls.
class RawClient : public PeerConnection {
 public:
  explicit RawClient(const net::Address& address) : PeerConnection(0, connect(address)) {}

  /// A response with a Content-Length, or without a body.
  ReceivedResponse read_response(bool has_body = true) {
    ReceivedResponse response;
    response.head = read_head();
    std::string length = response.field("content-length");
    if (has_body && length != "-") response.body = read(std::strtoull(length.c_str(), nullptr, 10));
    return response;
  }
  ReceivedResponse ask(std::string_view request) {
    send(request);
    return read_response(!request.starts_with("HEAD "));
  }

 private:
  static net::Fd connect(const net::Address& address) {
    net::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.number(), &address.raw(), address.size()) != 0)
      throw std::runtime_error("the test cannot connect");
    return fd;
  }
};

/// "GET path" with a Host field and, in `more`, further lines.
inline std::string get_request(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more) + "\r\n";
}

}  // namespace sluice::testing
