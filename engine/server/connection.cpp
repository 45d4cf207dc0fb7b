// SPDX-License-Identifier: MIT
#include "engine/server/connection.hpp"

#include <algorithm>
#include <exception>

#include "engine/server/server.hpp"

namespace sluice::server {
namespace {

using Event = wire::RequestReader::Event;

// A body of this size keeps its memory for the next request.
constexpr std::size_t kKeptBodyBytes = 16 * 1024;
// How long and how far input is read and dropped after a refusal, so that the client gets to see it: closing
// a socket with unread input would destroy what was sent (RFC 9112, 9.6).
constexpr std::chrono::seconds kDiscardTime{2};
constexpr std::uint64_t kDiscardBytes = 64 * 1024 * 1024;

}  // namespace

Connection::Connection(Server& server, net::Socket::Pointer socket)
    : server_(&server),
      ended_(*this,
             [](detail::ReadyNode& node) {
               Connection& connection = *static_cast<Ended&>(node).connection;
               connection.server_->remove(connection);
             }),
      socket_(std::move(socket)),
      reader_(server.options().reader_limits),
      request_(head_, {}),
      responder_(*socket_, server.options().write_timeout, ended_) {
  start_request();
  task_ = run();
  task_.start(ended_);
}

void Connection::wind_down() {
  winding_down_ = true;
  responder_.close_afterwards();
  bool between_requests = reading_ && !reader_.started() && !socket_->stirred();
  if (!between_requests) return;
  task_ = finish_writing();
  task_.start(ended_);
}

Task<void> Connection::run() {
  for (Step step = Step::read; step != Step::close;) {
    step = next_step();
    if (step == Step::answer) {
      co_await call_handler();
      end_request();
      if (!responder_.keep_alive()) step = Step::close;
    }
    // Answers to requests that came together leave together.
    bool write = responder_.full() || (responder_.pending() && step != Step::answer);
    if (write) {
      if (socket_->writing()) co_await socket_->wait_for_write();
      if (!responder_.flush()) co_return;
    }
    if (step == Step::read) {
      reading_ = true;
      supply(co_await socket_->read(patience()));
      reading_ = false;
    }
  }
  if (input_refused_) co_await discard_input();
  co_await finish_writing();
}

Task<void> Connection::finish_writing() {
  if (socket_->writing()) co_await socket_->wait_for_write();
}

Task<void> Connection::discard_input() {
  TimePoint deadline = socket_->loop().now() + kDiscardTime;
  for (std::uint64_t dropped = 0; dropped < kDiscardBytes;) {
    lease_.drop();
    Duration rest = deadline - socket_->loop().now();
    supply(co_await socket_->read(std::max(rest, Duration::zero())));
    if (input_status_ != net::SocketStatus::ok) co_return;
    dropped += input_.size();
  }
}

// ---- reading a request

void Connection::start_request() {
  reader_.start(head_);
  body_.clear();
  awaiting_body_ = false;
}

Connection::Step Connection::next_step() {
  for (;;) {
    switch (reader_.next(input_)) {
      case Event::need_more:
        lease_.drop();
        if (input_status_ != net::SocketStatus::ok) return Step::close;
        expect_body();
        return Step::read;
      case Event::informational:
      case Event::head:
        awaiting_body_ = true;
        if (reader_.content_length().value_or(0) > server_->options().max_body_bytes) return refuse(413);
        break;
      case Event::body:
        if (take_body() == Step::close) return Step::close;
        break;
      case Event::end:
        return Step::answer;
      case Event::failed:
        return refuse(400);
    }
  }
}

Connection::Step Connection::take_body() {
  std::span<const char> bytes = reader_.body();
  if (reader_.body_bytes() > server_->options().max_body_bytes) return refuse(413);
  body_.append(bytes.data(), bytes.size());
  return Step::read;
}

/// Lets a client go on that waits to be told so (RFC 9110, 10.1.1).
void Connection::expect_body() {
  bool waits = std::exchange(awaiting_body_, false) && reader_.body_bytes() == 0;
  if (!waits || head_.version_minor == 0) return;
  auto expectation = head_.headers.first("expect");
  if (expectation && equal_ignoring_case(*expectation, "100-continue")) responder_.send_continue();
}

Connection::Step Connection::refuse(int status) {
  input_refused_ = awaiting_body_ || reader_.body_bytes() != 0;
  responder_.start(false, 1, false);
  responder_.answer(status);
  return Step::close;
}

/// How long to wait for the next bytes.
Duration Connection::patience() const {
  if (!reader_.started()) return server_->options().idle_timeout;
  Duration passed = socket_->loop().now() - request_began_;
  return std::max(server_->options().request_timeout - passed, Duration::zero());
}

void Connection::supply(net::ReadOutcome outcome) {
  input_status_ = outcome.status;
  if (outcome.status != net::SocketStatus::ok) return;
  if (!reader_.started()) request_began_ = socket_->loop().now();
  lease_ = std::move(outcome.lease);
  input_ = lease_.bytes();
}

// ---- answering it

Task<void> Connection::call_handler() {
  if (input_.empty()) lease_.drop();  // a handler may take its time
  request_ = Request(head_, body_);
  bool head_only = request_.method() == Method::Head;
  responder_.start(head_only, head_.version_minor, reader_.keep_alive() && !winding_down_);
  const Route* route = server_->find_route(request_.path());
  if (route == nullptr) {
    responder_.answer(404);
  } else if (!route->allows(request_.method())) {
    responder_.header("Allow", route->methods);
    responder_.answer(405);
  } else {
    request_.rest_ = route->rest_of(request_.path());
    try {
      co_await route->handler(request_, responder_);
      responder_.finish();
    } catch (const std::exception&) {
      responder_.fail();
    }
  }
}

void Connection::end_request() {
  if (body_.capacity() > kKeptBodyBytes) body_ = detail::String();
  start_request();
}

}  // namespace sluice::server
