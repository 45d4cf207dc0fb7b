// SPDX-License-Identifier: MIT
#include "engine/client/stream_state.hpp"

#include <utility>

#include <sluice/combinators.hpp>
#include <sluice/time.hpp>

#include "engine/client/client_core.hpp"

namespace sluice::detail {

StreamState::StreamState(std::shared_ptr<ClientCore> core, Request request, http::Exchange exchange,
                         std::shared_ptr<const DefaultEncoding> default_encoding, const ReceiveLimits& limits,
                         const Drain& drain)
    : core_(std::move(core)),
      request_(std::move(request)),
      limits_(limits),
      drain_(drain),
      response_(request_.url(), std::move(default_encoding)),
      exchange_(std::move(exchange)),
      start_(Clock::now()) {}

Task<Result<void>> StreamState::open(Pointer self) {
  auto opened = co_await self->exchange_.open(self->request_, self->response_.head);
  if (opened) {
    self->response_.tls = self->exchange_.tls();
    self->advance();
  }
  co_return opened;
}

// ---- reading

std::optional<Error> StreamState::claim() {
  if (consumed_)
    return Error(ErrorKind::stream_consumed, Phase::body,
                 "the body has been read, or partly, and is not kept");
  if (abandoned()) return abandonment();
  consumed_ = true;
  return std::nullopt;
}

StreamState::Event StreamState::poll() {
  Event event = exchange_.poll();
  response_.body_bytes = exchange_.body_bytes();
  response_.bytes_received = exchange_.bytes_received();
  if (event == Event::end) {
    ended_ = true;
    response_.trailers = exchange_.take_trailers();
    response_.elapsed = Clock::now() - start_;
  } else if (event == Event::failed) {
    end_with(exchange_.error());
  }
  return event;
}

void StreamState::advance() {
  while (!next_ && !closed()) {
    Event event = poll();
    if (event == Event::body) next_ = exchange_.body_lease();
    if (event == Event::need_more) return;
  }
}

Step StreamState::pull(ring::Lease& piece) {
  if (abandoned_) return Step::failed;
  advance();
  if (!next_) return error_ ? Step::failed : ended_ ? Step::end : Step::need_more;
  piece = std::move(next_);
  advance();
  return Step::piece;
}

void StreamState::supply(net::ReadOutcome outcome) {
  exchange_.supply(std::move(outcome));
  if (abandoned_) exchange_.abandon();  // while this reader waited, which kept the connection
}

Step StreamState::fail(const ContentFault& fault) {
  exchange_.fail(fault.kind, fault.message, fault.library_code);
  end_with(exchange_.error());
  return Step::failed;
}

Task<Result<std::string_view>> StreamState::read(Pointer self) {
  ResponseState& response = self->response_;
  if (response.content_read) co_return std::string_view(response.content);
  if (auto refused = self->claim()) co_return *std::move(refused);
  ContentBuffer buffer(response.content, response.head.headers, self->limits_);
  for (;;) {
    ring::Lease piece;
    Step step = self->pull(piece);
    if (step == Step::need_more) self->supply(co_await self->read_more());
    std::optional<ContentFault> fault;
    if (step == Step::piece) fault = buffer.append(piece.bytes());
    if (step == Step::end) fault = buffer.finish();
    response.decoded_bytes = response.content.size();
    if (fault) step = self->fail(*fault);
    if (step == Step::failed) co_return self->error();
    if (step == Step::end) break;
  }
  response.content_read = true;
  co_return std::string_view(response.content);
}

// ---- ending

Error StreamState::abandonment() {
  return {ErrorKind::stream_closed, Phase::body, "the response has been closed"};
}

void StreamState::end_with(Error error) {
  error_ = std::move(error);
  response_.elapsed = Clock::now() - start_;
}

void StreamState::throw_away() {
  next_.drop();
  while (!closed() && poll() != Event::need_more) continue;
}

Task<Result<void>> StreamState::discard(Pointer self) {
  if (self->exchange_.reader_waits())
    co_return Error(ErrorKind::stream_consumed, Phase::body, "another task is reading the body");
  self->consumed_ = true;
  for (;;) {
    if (!self->abandoned_) self->throw_away();
    if (self->ended_) co_return Result<void>();
    if (self->error_ || self->abandoned_) co_return self->error();
    self->supply(co_await self->exchange_.discard());
  }
}

std::optional<std::uint64_t> StreamState::bytes_left() const {
  auto size = closed() ? std::nullopt : exchange_.content_length();
  return size ? std::optional(*size - exchange_.body_bytes()) : std::nullopt;
}

bool StreamState::worth_draining() const {
  auto left = exchange_.reader_waits() ? std::nullopt : bytes_left();
  return left && *left <= drain_.max_bytes;
}

Task<void> StreamState::drain(Pointer self) {
  for (;;) {
    self->throw_away();
    if (self->closed()) co_return;
    self->exchange_.supply(co_await self->exchange_.discard());
  }
}

Task<void> StreamState::close(Pointer self) {
  bool drains = !self->abandoned_ && self->worth_draining();
  self->abandoned_ = true;  // from here on others who would read it are turned away
  if (drains) co_await when_any(drain(self), sleep_for(self->drain_.max_time));
  self->close_now();
}

void StreamState::close_now() {
  abandoned_ = true;
  next_.drop();
  if (!closed()) end_with(abandonment());
  exchange_.abandon();
}

}  // namespace sluice::detail
