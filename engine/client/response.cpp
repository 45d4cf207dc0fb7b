// SPDX-License-Identifier: MIT
#include <sluice/response.hpp>

#include "engine/client/client_core.hpp"
#include "engine/wire/text_decoder.hpp"

namespace sluice {

namespace detail {

void ResponseStateDeleter::operator()(ResponseState* state) const noexcept {
  delete state;
}

}  // namespace detail

// ---- ResponseBase

int ResponseBase::status() const noexcept {
  return state_->head.status;
}
std::string_view ResponseBase::reason() const noexcept {
  return state_->head.reason;
}
std::string_view ResponseBase::http_version() const noexcept {
  return state_->head.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}
const Headers& ResponseBase::headers() const noexcept {
  return state_->head.headers;
}
const Headers& ResponseBase::trailers() const noexcept {
  return state_->trailers;
}
const Url& ResponseBase::url() const noexcept {
  return state_->url;
}
std::uint64_t ResponseBase::num_bytes_downloaded() const noexcept {
  return state_->body_bytes;
}
std::uint64_t ResponseBase::num_bytes_received() const noexcept {
  return state_->bytes_received;
}

namespace {

std::string_view class_of_status(int status) {
  switch (status / 100) {
    case 1:
      return "Informational response";
    case 3:
      return "Redirect response";
    case 4:
      return "Client error";
    case 5:
      return "Server error";
    default:
      return "Invalid status code";
  }
}

/// Whoever logs the text must not log a password.
std::string without_userinfo(const Url& url) {
  std::string text(url.str());
  if (!url.userinfo().empty()) text.erase(text.find("//") + 2, url.userinfo().size() + 1);
  return text;
}

}  // namespace

void ResponseBase::raise_for_status() const {
  if (is_success()) return;
  std::string code = std::to_string(status());
  std::string text(class_of_status(status()));
  text += " '" + code + " " + std::string(reason()) + "' for url '" + without_userinfo(url()) + "'";
  auto location = headers().first("location");
  if (is_redirect() && location) text += "\nRedirect location: '" + std::string(*location) + "'";
  text += "\nFor more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/" + code;
  throw HTTPStatusError(Error(ErrorKind::http_status_error, Phase::none, std::move(text)));
}

// ---- Response

std::string_view Response::content() const noexcept {
  return state_->content;
}
std::string Response::text() const {
  return wire::decode_text(wire::Charset::utf8(), state_->content);
}
Duration Response::elapsed() const noexcept {
  return state_->elapsed;
}

// ---- StreamingResponse

namespace detail {

void StreamState::advance() {
  using Event = http::Exchange::Event;
  while (!settled()) {
    Event event = exchange.poll();
    response.body_bytes = exchange.body_bytes();
    response.bytes_received = exchange.bytes_received();
    if (event == Event::need_more) return;
    if (event == Event::body) chunk = Chunk(exchange.body_lease());
    if (event == Event::failed) error = exchange.error();
    if (event == Event::end) {
      ended = true;
      response.trailers = exchange.take_trailers();
    }
  }
}

Result<std::optional<Chunk>> StreamState::take() {
  if (!chunk) {
    if (error) return *error;
    return std::optional<Chunk>();
  }
  std::optional<Chunk> taken = std::exchange(chunk, std::nullopt);
  advance();
  return taken;
}

bool ChunkAwaiter::await_ready() const noexcept {
  return stream_->settled();
}

Task<void> ChunkAwaiter::fill(std::shared_ptr<StreamState> stream) {
  stream->advance();
  while (!stream->settled()) {
    stream->exchange.supply(co_await stream->exchange.read());
    stream->advance();
  }
}

Result<std::optional<Chunk>> ChunkAwaiter::await_resume() {
  if (filling_) filling_.take();
  return stream_->take();
}

}  // namespace detail

StreamingResponse::StreamingResponse(std::shared_ptr<detail::StreamState> stream) noexcept
    : ResponseBase(&stream->response), stream_(std::move(stream)) {}

}  // namespace sluice
