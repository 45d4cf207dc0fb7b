// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include <sluice/result.hpp>
#include <sluice/task.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/http/pool.hpp"
#include "engine/net/resolver.hpp"
#include "engine/net/socket.hpp"

namespace sluice::http {

/// Makes connections to origins: names to addresses, then the addresses in turn until one accepts.
class Connector {
 public:
  /// `unix_socket`: connect there whatever the origin is; empty for TCP.
  Connector(ring::Loop& loop, net::ReceiveBudget& receive_budget, std::unique_ptr<net::Resolver> resolver,
            std::string unix_socket)
      : loop_(&loop),
        receive_budget_(&receive_budget),
        resolver_(std::move(resolver)),
        unix_socket_(std::move(unix_socket)) {}

  /// A connected socket; `timeout` covers all addresses together. Errors: connect_error, connect_timeout; the
  /// message lists every attempt.
  Task<Result<net::Socket::Pointer>> connect(const Origin& origin, Duration timeout);
  /// Ends all attempts that are under way as failed.
  void abort();

 private:
  struct Attempt : base::ListNode {
    Attempt(Connector& connector, net::Socket& its_socket) : socket(&its_socket) {
      connector.attempts_.push_back(*this);
    }
    net::Socket* socket;
  };

  Task<Result<std::vector<net::Address>>> addresses_of(const Origin& origin);

  ring::Loop* loop_;
  net::ReceiveBudget* receive_budget_;
  std::unique_ptr<net::Resolver> resolver_;
  std::string unix_socket_;
  base::List<Attempt> attempts_;
};

}  // namespace sluice::http
