// SPDX-License-Identifier: MIT
#include "engine/net/listener.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include <sys/socket.h>

#include "engine/base/system_error.hpp"

namespace sluice::net {
namespace {

// How long to wait for descriptors or memory to be freed before trying again.
constexpr std::chrono::milliseconds kPause{20};

Error listen_error(const Address& address, int code) {
  return base::system_error(code, "cannot listen on " + address.str() + ": " + std::strerror(code));
}

void set_option(const Fd& fd, int option) {
  int on = 1;
  setsockopt(fd.number(), SOL_SOCKET, option, &on, sizeof(on));
}

bool has_path(const Address& address) {
  return address.family() == AF_UNIX &&
         reinterpret_cast<const sockaddr_un&>(address.raw()).sun_path[0] != '\0';
}

void remove_path(const Address& address) {
  ::unlink(reinterpret_cast<const sockaddr_un&>(address.raw()).sun_path);
}

/// A socket file that nobody listens on any more.
bool is_left_behind(const Address& address) {
  if (!has_path(address)) return false;
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));  // its backlog may be full
  return ::connect(probe.number(), &address.raw(), address.size()) != 0 && errno == ECONNREFUSED;
}

bool bind_to(const Fd& fd, const Address& address) {
  if (::bind(fd.number(), &address.raw(), address.size()) == 0) return true;
  if (errno != EADDRINUSE) return false;
  if (!is_left_behind(address)) {
    errno = EADDRINUSE;
    return false;
  }
  remove_path(address);
  return ::bind(fd.number(), &address.raw(), address.size()) == 0;
}

Result<Fd> listening_socket(const Address& address, const ListenOptions& options) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return listen_error(address, errno);
  set_option(fd, SO_REUSEADDR);
  if (options.reuse_port && address.family() != AF_UNIX) set_option(fd, SO_REUSEPORT);
  if (!bind_to(fd, address) || ::listen(fd.number(), options.backlog) != 0)
    return listen_error(address, errno);
  return fd;
}

}  // namespace

Listener::Listener(ring::Loop& loop, Fd fd, Acceptor& acceptor)
    : loop_(&loop),
      fd_(std::move(fd)),
      acceptor_(&acceptor),
      address_(Address::of_socket(fd_.number(), false)),
      accept_(*this,
              [](ring::Operation& operation, ring::Completion completion) {
                static_cast<Accept&>(operation).listener->accepted(completion);
              }),
      pause_(*this, [](detail::Timer& timer) { static_cast<Pause&>(timer).listener->start_accepting(); }) {
  loop_->add_resident(*this);
}

Listener::~Listener() = default;

Result<Listener::Pointer> Listener::open(ring::Loop& loop, const Address& address,
                                         const ListenOptions& options, Acceptor& acceptor) {
  Result<Fd> fd = listening_socket(address, options);
  if (!fd) return std::move(fd).error();
  Pointer listener(new Listener(loop, *std::move(fd), acceptor));
  listener->start_accepting();
  return listener;
}

void Listener::stop() {
  if (std::exchange(stopped_, true)) return;
  pause_.disarm();
  if (has_path(address_)) remove_path(address_);
  if (accept_.in_flight())
    loop_->ring().cancel(accept_);
  else
    fd_.close();
}

void Listener::retire() {
  unlink();
  stop();
  retired_ = true;
  free_if_quiet();
}

void Listener::free_if_quiet() {
  if (retired_ && !accept_.in_flight()) delete this;
}

void Listener::start_accepting() {
  loop_->ring().accept_multishot(accept_, fd_.number());
}

void Listener::accepted(ring::Completion completion) {
  Fd connection(completion.result);
  if (stopped_) {
    if (!completion.more) fd_.close();
    return free_if_quiet();  // a connection that came too late is closed
  }
  if (connection) acceptor_->accepted(std::move(connection));
  if (completion.more) return;
  // No descriptors or no memory, as a rule: trying again at once would spin.
  if (completion.result < 0)
    pause_.arm(loop_->now() + kPause);
  else
    start_accepting();
}

}  // namespace sluice::net
