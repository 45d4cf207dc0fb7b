// SPDX-License-Identifier: MIT
#include "engine/server/server.hpp"

#include <algorithm>

#include <sluice/combinators.hpp>
#include <sluice/time.hpp>

namespace sluice::server {

// ---- routes

bool Route::takes(std::string_view request_path) const {
  if (!request_path.starts_with(path)) return false;
  return path.ends_with('/') || request_path.size() == path.size() || request_path[path.size()] == '/';
}

std::string_view Route::rest_of(std::string_view request_path) const {
  std::string_view rest = request_path.substr(path.size());
  return rest.substr(rest.starts_with('/') ? 1 : 0);
}

bool Route::allows(const Method& method) const {
  for (std::string_view rest = methods; !rest.empty();) {
    std::size_t comma = rest.find(", ");
    if (rest.substr(0, comma) == method.name()) return true;
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 2);
  }
  return methods.empty();
}

void Server::route(std::string_view path, Handler handler, std::string_view methods) {
  auto shorter = [&](const Route& other) { return other.path.size() < path.size(); };
  auto place = std::find_if(routes_.begin(), routes_.end(), shorter);
  routes_.insert(place, Route{std::string(path), std::string(methods), std::move(handler)});
}

const Route* Server::find_route(std::string_view path) const {
  for (const Route& route : routes_) {
    if (route.takes(path)) return &route;
  }
  return nullptr;
}

// ---- connections

Server::Server(ring::Loop& loop, const ServerOptions& options) : loop_(&loop), options_(options) {
  loop.add_resident(*this);
}

Server::~Server() {
  close();
}

Result<net::Address> Server::listen(const net::Address& address, const net::ListenOptions& options) {
  auto listener = net::Listener::open(*loop_, address, options, *this);
  if (!listener) return std::move(listener).error();
  net::Address bound = (*listener)->address();
  listeners_.push_back(*std::move(listener));
  return bound;
}

void Server::accepted(net::Fd connection) {
  connections_.push_back(
      *new Connection(*this, net::Socket::adopt(*loop_, receive_budget_, std::move(connection))));
  ++connection_count_;
}

void Server::remove(Connection& connection) {
  delete &connection;
  if (--connection_count_ == 0) last_connection_ended_.notify();
}

// ---- the end

Task<void> Server::stop(Duration grace) {
  listeners_.clear();
  for (std::size_t i = 0; i < connection_count_; ++i) {
    Connection& connection = connections_.front();
    connections_.remove(connection);
    connections_.push_back(connection);
    connection.wind_down();
  }
  co_await when_any(all_ended(), sleep_for(grace));
  close();
}

Task<void> Server::all_ended() {
  if (!connections_.empty()) co_await last_connection_ended_.wait();
}

void Server::close() {
  listeners_.clear();
  while (!connections_.empty()) remove(connections_.front());
}

}  // namespace sluice::server
