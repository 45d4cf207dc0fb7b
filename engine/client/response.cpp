// SPDX-License-Identifier: MIT
#include <stdexcept>

#include <sluice/response.hpp>

#include "engine/client/piece_source.hpp"
#include "engine/wire/charset.hpp"
#include "engine/wire/content_decoder.hpp"
#include "engine/wire/link_header.hpp"
#include "engine/wire/redirect.hpp"

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
std::uint64_t ResponseBase::num_bytes_decoded() const noexcept {
  return state_->decoded_bytes;
}
std::uint64_t ResponseBase::num_bytes_received() const noexcept {
  return state_->bytes_received;
}

std::optional<TlsInfo> ResponseBase::tls() const {
  if (state_->tls == nullptr) return std::nullopt;
  return TlsInfo(state_->tls);
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

std::string ResponseBase::unknown_coding() const {
  return std::string(wire::ContentDecoder(headers()).unknown_coding());
}
Links ResponseBase::links() const {
  return wire::parse_links(headers().get("link").value_or(""));
}
std::optional<std::string> ResponseBase::charset_encoding() const {
  auto content_type = headers().first("content-type");
  return content_type ? wire::charset_of(*content_type) : std::nullopt;
}
std::string ResponseBase::encoding() const {
  return state_->encoding();
}
void ResponseBase::set_encoding(std::string_view name) {
  if (wire::Charset::find(name)) state_->chosen_encoding = name;
}
bool ResponseBase::has_redirect_location() const noexcept {
  return wire::has_redirect_location(status(), headers());
}
const std::vector<Response>& ResponseBase::history() const noexcept {
  static const std::vector<Response> none;
  return state_->redirects ? state_->redirects->history : none;
}
std::optional<Request> ResponseBase::next_request() const {
  return state_->redirects ? state_->redirects->next : std::nullopt;
}

// ---- Response

std::string_view Response::content() const noexcept {
  return state_->content;
}
std::string Response::text() const {
  return state_->text();
}
Duration Response::elapsed() const noexcept {
  return state_->elapsed;
}

// ---- StreamingResponse

namespace {

[[noreturn]] void not_read(std::string what) {
  throw ResponseNotRead(Error(ErrorKind::response_not_read, Phase::body,
                              what + " is there only once the body has been read: await read() first"));
}

void require_chunk_size(std::size_t size) {
  if (size == 0 || size > kLargestChunkSize)
    throw std::invalid_argument("the size of chunks must be 1 to 2^30");
}

using ChunkIterator = BodyIterator<Chunk>;
using TextIterator = BodyIterator<std::string_view>;

}  // namespace

StreamingResponse::StreamingResponse(std::shared_ptr<detail::StreamState> stream) noexcept
    : ResponseBase(&stream->response()), stream_(std::move(stream)) {}

StreamingResponse& StreamingResponse::operator=(StreamingResponse&& other) noexcept {
  if (this == &other) return *this;
  if (stream_ != nullptr) stream_->close_now();
  stream_ = std::move(other.stream_);
  state_ = std::exchange(other.state_, nullptr);
  return *this;
}

StreamingResponse::~StreamingResponse() {
  if (stream_ != nullptr) stream_->close_now();
}

ChunkIterator StreamingResponse::iter_raw() {
  return ChunkIterator(new detail::SourceOf<Chunk, detail::RawBytes>(stream_));
}
ChunkIterator StreamingResponse::iter_bytes() {
  return ChunkIterator(new detail::SourceOf<Chunk, detail::DecodedBytes>(stream_));
}
ChunkIterator StreamingResponse::iter_bytes(std::size_t chunk_bytes) {
  require_chunk_size(chunk_bytes);
  return ChunkIterator(new detail::SourceOf<Chunk, detail::EqualBytes>(stream_, chunk_bytes));
}
TextIterator StreamingResponse::iter_text(std::size_t chunk_characters) {
  require_chunk_size(chunk_characters);
  return TextIterator(new detail::SourceOf<std::string_view, detail::EqualText>(stream_, chunk_characters));
}
TextIterator StreamingResponse::iter_text() {
  return TextIterator(new detail::SourceOf<std::string_view, detail::DecodedText>(stream_));
}
TextIterator StreamingResponse::iter_lines(LineMode mode) {
  return TextIterator(new detail::SourceOf<std::string_view, detail::TextLines>(stream_, mode));
}

detail::Attempt<std::string_view> StreamingResponse::read() {
  return detail::Attempt<std::string_view>(detail::StreamState::read(stream_));
}
detail::Attempt<void> StreamingResponse::discard() {
  return detail::Attempt<void>(detail::StreamState::discard(stream_));
}
Task<void> StreamingResponse::close() {
  return detail::StreamState::close(stream_);
}

std::string_view StreamingResponse::content() const {
  if (!state_->content_read) not_read("content");
  return state_->content;
}
std::string StreamingResponse::text() const {
  if (!state_->content_read) not_read("text");
  return state_->text();
}
Duration StreamingResponse::elapsed() const {
  if (!is_closed()) not_read("elapsed");
  return state_->elapsed;
}
bool StreamingResponse::is_closed() const noexcept {
  return stream_->closed();
}
bool StreamingResponse::is_stream_consumed() const noexcept {
  return stream_->consumed();
}

}  // namespace sluice
