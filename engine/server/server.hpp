// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/method.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/net/address.hpp"
#include "engine/net/listener.hpp"
#include "engine/net/receive_budget.hpp"
#include "engine/ring/loop.hpp"
#include "engine/server/connection.hpp"
#include "engine/server/request.hpp"
#include "engine/server/responder.hpp"
#include "engine/wire/message_reader.hpp"

namespace sluice::server {

/// Answers a request. A coroutine; request and responder outlive it. What it throws becomes a 500.
using Handler = std::function<Task<void>(Request& request, Responder& responder)>;

/// The limits of a server. Trivially copyable.
struct ServerOptions {
  wire::ReaderLimits reader_limits = {};
  std::uint64_t max_body_bytes = 16 * 1024 * 1024;      ///< of a request; a larger one is answered with 413
  Duration idle_timeout = std::chrono::seconds(75);     ///< of a connection without a request
  Duration request_timeout = std::chrono::seconds(60);  ///< from a request's first byte to its last
  Duration write_timeout = std::chrono::seconds(60);    ///< for the client to take one piece of a response
};
static_assert(std::is_trivially_copyable_v<ServerOptions>);

/// Received bytes that may wait for handlers.
inline constexpr net::ReceiveBudget::Limits kServerReceiveLimits{
    .total_bytes = std::uint64_t{64} * 1024 * 1024,
    .high_water_bytes = 256 * 1024,
    .low_water_bytes = 64 * 1024};

/// A path, all paths below it, and who answers for them.
struct Route {
  std::string path;
  std::string methods;  ///< as for an Allow field: "GET, HEAD"; empty: any
  Handler handler;

  bool takes(std::string_view request_path) const;
  std::string_view rest_of(std::string_view request_path) const;
  bool allows(const Method& method) const;
};

/// A small HTTP/1.1 origin on a loop: keep-alive, pipelining in order, handlers that are coroutines.
///
/// Threading: made, used and destroyed on the loop's thread. Destroying it, or the loop's shutdown, closes
/// all connections at once; stop() lets responses finish.
class Server final : public ring::Resident, private net::Listener::Acceptor {
 public:
  explicit Server(ring::Loop& loop, const ServerOptions& options = {});
  ~Server();

  /// Has `handler` answer for `path` and all below it, unless a longer path takes them. Before listen().
  void route(std::string_view path, Handler handler, std::string_view methods = "");

  /// Serves on this address, too; gives the one with the true port. Errors: system_error.
  Result<net::Address> listen(const net::Address& address, const net::ListenOptions& options = {});

  /// Ends gracefully: no new connections, responses under way may finish within `grace`. One call at a time.
  Task<void> stop(Duration grace);
  /// Closes everything at once. Not from within a handler.
  void close();

  std::size_t connections() const noexcept { return connection_count_; }
  const ServerOptions& options() const noexcept { return options_; }

 private:
  friend class Connection;

  void shut_down() override { close(); }
  void accepted(net::Fd connection) override;
  void remove(Connection& connection);
  Task<void> all_ended();
  const Route* find_route(std::string_view path) const;

  ring::Loop* loop_;
  ServerOptions options_;
  net::ReceiveBudget receive_budget_{kServerReceiveLimits};
  std::vector<Route> routes_;  // longest path first
  std::vector<net::Listener::Pointer> listeners_;
  base::List<Connection> connections_;
  std::size_t connection_count_ = 0;
  detail::WaitPoint last_connection_ended_;
};

}  // namespace sluice::server
