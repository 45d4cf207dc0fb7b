// SPDX-License-Identifier: MIT
#include <sluice/response.hpp>

#include "engine/client/client_core.hpp"
#include "engine/client/utf8.hpp"

namespace sluice {

namespace detail {

void ResponseStateDeleter::operator()(ResponseState* state) const noexcept { delete state; }
void StreamStateDeleter::operator()(StreamState* state) const noexcept { delete state; }

}  // namespace detail

// ---- ResponseBase

int ResponseBase::status() const noexcept { return state_->head.status; }
std::string_view ResponseBase::reason() const noexcept { return state_->head.reason; }
std::string_view ResponseBase::http_version() const noexcept {
  return state_->head.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}
const Headers& ResponseBase::headers() const noexcept { return state_->head.headers; }
const Headers& ResponseBase::trailers() const noexcept { return state_->trailers; }
const Url& ResponseBase::url() const noexcept { return state_->url; }
std::uint64_t ResponseBase::num_bytes_downloaded() const noexcept { return state_->body_bytes; }
std::uint64_t ResponseBase::num_bytes_received() const noexcept { return state_->bytes_received; }

namespace {

std::string_view class_of_status(int status) {
  switch (status / 100) {
    case 1: return "Informational response";
    case 3: return "Redirect response";
    case 4: return "Client error";
    case 5: return "Server error";
    default: return "Invalid status code";
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

std::string_view Response::content() const noexcept { return state_->content; }
std::string Response::text() const { return detail::to_valid_utf8(state_->content); }
Duration Response::elapsed() const noexcept { return state_->elapsed; }

// ---- Chunk

Chunk::Chunk(ring::Lease lease) noexcept {
  bytes_ = lease.bytes();
  buffer_ = lease.detach();
}

Chunk& Chunk::operator=(Chunk&& other) noexcept {
  if (this != &other) {
    ring::Lease::attach(buffer_, bytes_).drop();
    buffer_ = std::exchange(other.buffer_, nullptr);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

Chunk::~Chunk() { ring::Lease::attach(buffer_, bytes_).drop(); }

Chunk Chunk::to_owned() && {
  ring::Lease lease = ring::Lease::attach(std::exchange(buffer_, nullptr), std::exchange(bytes_, {}));
  return Chunk(lease.provided() ? ring::Lease::copy_of(lease.bytes()) : std::move(lease));
}

// ---- StreamingResponse

StreamingResponse::StreamingResponse(std::unique_ptr<detail::StreamState, detail::StreamStateDeleter> state) noexcept
    : ResponseBase(&state->response), owned_(std::move(state)) {}
StreamingResponse::StreamingResponse(StreamingResponse&& other) noexcept = default;
StreamingResponse& StreamingResponse::operator=(StreamingResponse&& other) noexcept = default;
StreamingResponse::~StreamingResponse() = default;

Task<Result<std::optional<Chunk>>> StreamingResponse::next_result() {
  using Event = http::Exchange::Event;
  detail::StreamState& state = *owned_;
  while (!state.ended) {
    Event event = state.exchange.poll();
    if (event == Event::failed) co_return state.exchange.error();
    if (event == Event::need_more) state.exchange.supply(co_await state.exchange.read());
    state.response.body_bytes = state.exchange.body_bytes();
    state.response.bytes_received = state.exchange.bytes_received();
    if (event == Event::body)
      co_return std::optional<Chunk>(detail::ClientCore::chunk_of(state.exchange.body_lease()));
    if (event == Event::end) {
      state.ended = true;
      state.response.trailers = state.exchange.take_trailers();
    }
  }
  co_return std::optional<Chunk>();
}

Task<std::optional<Chunk>> StreamingResponse::next() {
  auto result = co_await next_result();
  co_return std::move(result).value();
}

}  // namespace sluice
