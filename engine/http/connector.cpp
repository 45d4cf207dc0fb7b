// SPDX-License-Identifier: MIT
#include "engine/http/connector.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "engine/net/tls_session.hpp"

namespace sluice::http {
namespace {

std::string reason_of(int code) {
  switch (code) {
    case ECONNREFUSED:
      return "connection refused";
    case EMFILE:
    case ENFILE:
      return "no file descriptor is left (raise ulimit -n, or lower max_connections)";
    case EADDRNOTAVAIL:
      return "no local port is left, or no such local address";
    default:
      return std::strerror(code);
  }
}

Error connect_error(ErrorKind kind, int code, const std::string& peer, std::string message) {
  Error::Facts facts(kind, Phase::connect, std::move(message));
  facts.system_code = code;
  facts.peer = peer;
  facts.safe_to_retry = true;  // nothing of the request was sent
  return Error(std::move(facts));
}

Error handshake_error(net::SocketStatus status, const net::Socket& socket) {
  bool late = status == net::SocketStatus::timed_out;
  Error::Facts facts(
      late ? ErrorKind::connect_timeout : ErrorKind::connect_error, Phase::tls,
      socket.peer() + (late ? " did not finish the TLS handshake in time" : ": " + socket.failure_text()));
  facts.system_code = socket.system_code();
  facts.library_code = socket.tls()->failure().library_code;
  facts.peer = socket.peer();
  facts.bytes_sent = 0;  // of the request
  facts.safe_to_retry = true;
  return Error(std::move(facts));
}

}  // namespace

Task<Result<std::vector<net::Address>>> Connector::addresses_of(const Origin& origin) {
  if (!unix_socket_.empty()) {
    auto address = net::Address::unix_socket(unix_socket_);
    if (!address) co_return std::move(address).error();
    co_return std::vector<net::Address>(1, *address);
  }
  if (auto literal = net::Address::from_literal(origin.host, origin.port))
    co_return std::vector<net::Address>(1, *literal);
  co_return co_await resolver_->resolve(std::string(origin.host), origin.port);
}

Task<Result<net::Socket::Pointer>> Connector::connect(const Origin& origin, Duration timeout) {
  TimePoint deadline = net::after(Clock::now(), timeout);
  auto connected = co_await connect_to_any(origin, deadline);
  if (!connected || origin.scheme != "https") co_return connected;
  auto secured = co_await shake_hands(origin, **connected, deadline);
  if (!secured) co_return std::move(secured).error();
  co_return connected;
}

Result<std::unique_ptr<net::TlsSession>> Connector::make_session(const Origin& origin) {
  if (tls_ == nullptr) {
    const auto& shared = net::TlsConfiguration::of_process();
    if (!shared) return shared.error();
    tls_ = *shared;
  }
  return net::TlsSession::make(tls_, origin.host, origin.port, &tickets_);
}

Task<Result<void>> Connector::shake_hands(const Origin& origin, net::Socket& socket, TimePoint deadline) {
  auto session = make_session(origin);
  if (!session) co_return std::move(session).error();
  Attempt attempt(*this, socket);
  net::SocketStatus status = co_await socket.start_tls(*std::move(session), deadline);
  if (status != net::SocketStatus::ok) co_return handshake_error(status, socket);
  co_return Result<void>();
}

Task<Result<net::Socket::Pointer>> Connector::connect_to_any(const Origin& origin, TimePoint deadline) {
  auto addresses = co_await addresses_of(origin);
  if (!addresses) co_return std::move(addresses).error();

  std::string attempts;
  std::string peer;
  int code = 0;
  for (const net::Address& address : *addresses) {
    net::Socket::Pointer socket = net::Socket::make(*loop_, *receive_budget_);
    Attempt attempt(*this, *socket);
    net::SocketStatus status = co_await socket->connect(address, deadline);
    if (status == net::SocketStatus::ok) co_return socket;
    peer = address.str();
    code = socket->system_code();
    if (!attempts.empty()) attempts += "; ";
    if (status == net::SocketStatus::timed_out) {
      attempts += peer + " did not answer in time";
      co_return connect_error(ErrorKind::connect_timeout, code, peer, std::move(attempts));
    }
    attempts += peer + ": " + reason_of(code);
    if (code == ECANCELED) break;
  }
  co_return connect_error(ErrorKind::connect_error, code, peer, std::move(attempts));
}

void Connector::abort() {
  while (!attempts_.empty()) {
    Attempt& attempt = attempts_.front();
    attempt.unlink();
    attempt.socket->abort();
  }
}

}  // namespace sluice::http
