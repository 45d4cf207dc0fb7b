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
#include "engine/net/tls_tickets.hpp"

namespace sluice::net {
class TlsConfiguration;
class TlsSession;
}  // namespace sluice::net

namespace sluice::http {

/// Makes connections to origins: names to addresses, then the addresses in turn until one accepts, then TLS
/// if the scheme is https.
class Connector {
 public:
  /// `unix_socket`: connect there whatever the origin is; empty for TCP. `tls`: none for that of the process.
  Connector(ring::Loop& loop, net::ReceiveBudget& receive_budget, std::unique_ptr<net::Resolver> resolver,
            std::string unix_socket, std::shared_ptr<const net::TlsConfiguration> tls = nullptr)
      : loop_(&loop),
        receive_budget_(&receive_budget),
        resolver_(std::move(resolver)),
        unix_socket_(std::move(unix_socket)),
        tls_(std::move(tls)) {}

  /// A connected socket; `timeout` covers all addresses and the TLS handshake together. Errors:
  /// connect_error, connect_timeout; the message lists every attempt.
  Task<Result<net::Socket::Pointer>> connect(const Origin& origin, Duration timeout);
  /// Ends all attempts that are under way as failed.
  void abort();

  const net::TlsTickets& tickets() const noexcept { return tickets_; }

 private:
  struct Attempt : base::ListNode {
    Attempt(Connector& connector, net::Socket& its_socket) : socket(&its_socket) {
      connector.attempts_.push_back(*this);
    }
    net::Socket* socket;
  };

  Task<Result<std::vector<net::Address>>> addresses_of(const Origin& origin);
  Task<Result<net::Socket::Pointer>> connect_to_any(const Origin& origin, TimePoint deadline);
  Task<Result<void>> shake_hands(const Origin& origin, net::Socket& socket, TimePoint deadline);
  Result<std::unique_ptr<net::TlsSession>> make_session(const Origin& origin);

  ring::Loop* loop_;
  net::ReceiveBudget* receive_budget_;
  std::unique_ptr<net::Resolver> resolver_;
  std::string unix_socket_;
  std::shared_ptr<const net::TlsConfiguration> tls_;
  net::TlsTickets tickets_;
  base::List<Attempt> attempts_;
};

}  // namespace sluice::http
