// SPDX-License-Identifier: MIT
#include "engine/server/responder.hpp"

#include <array>
#include <charconv>
#include <coroutine>
#include <stdexcept>
#include <string>

#include "engine/server/date.hpp"
#include "engine/server/status.hpp"
#include "engine/wire/response_writer.hpp"

namespace sluice::server {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

// Small responses are collected up to this size and sent together.
constexpr std::size_t kFullBytes = 64 * 1024;
// What a small response takes; spares the buffer from growing while it is filled.
constexpr std::size_t kUsualBytes = 512;

/// Statuses whose responses end with their head (RFC 9112, 6.3).
bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace

Responder& Responder::header(std::string_view name, std::string_view value) {
  fields_.add(name, value);
  return *this;
}

// ---- whole answers

void Responder::answer(int status) {
  std::array<char, 64> line;
  auto code = static_cast<std::size_t>(std::to_chars(line.data(), line.data() + 8, status).ptr - line.data());
  std::string_view reason = reason_of(status);
  line[code] = ' ';
  reason.copy(line.data() + code + 1, reason.size());
  line[code + 1 + reason.size()] = '\n';
  answer(status, kText, std::string_view(line.data(), code + reason.size() + 2));
}

void Responder::answer(int status, std::string_view content_type, std::string_view body) {
  put_whole_head(status, content_type, body.size());
  if (!head_only_ && !has_no_body(status)) out_.append(body);
}

void Responder::answer(int status, std::string_view content_type, detail::SharedBytes body) {
  put_whole_head(status, content_type, body.size());
  if (!head_only_ && !has_no_body(status)) body_ = std::move(body);
}

void Responder::put_whole_head(int status, std::string_view content_type, std::uint64_t length) {
  check_fields(status);
  choose_framing(status, length);
  put_head(status, content_type);
  stage_ = Stage::complete;
}

// ---- answers in pieces

void Responder::begin(int status, std::string_view content_type, std::optional<std::uint64_t> length) {
  check_fields(status);
  stage_ = choose_framing(status, length);
  announced_ = length.value_or(0);
  put_head(status, content_type);
  if (has_no_body(status)) head_only_ = true;
}

Task<void> Responder::send(std::string_view bytes) {
  take_from_announced(bytes.size());
  if (head_only_ || bytes.empty()) co_return;
  if (stage_ == Stage::chunked) wire::write_chunk_line(out_, bytes.size());
  out_.append(bytes);
  if (stage_ == Stage::chunked) out_.append(wire::kChunkEnd);
  co_await wait_for_client();
  flush();
}

Task<void> Responder::send(detail::SharedBytes bytes) {
  take_from_announced(bytes.size());
  if (head_only_ || bytes.empty()) co_return;
  if (stage_ == Stage::chunked) wire::write_chunk_line(out_, bytes.size());
  body_ = std::move(bytes);
  co_await wait_for_client();
  flush();
  if (stage_ == Stage::chunked) out_.append(wire::kChunkEnd);
}

void Responder::take_from_announced(std::size_t bytes) {
  if (stage_ != Stage::counted) return;
  if (bytes > announced_) throw std::length_error("a handler sent more bytes than it announced");
  announced_ -= bytes;
}

/// Ends when the next piece can be written; never when the client is gone.
Task<void> Responder::wait_for_client() {
  if (socket_->writing()) co_await socket_->wait_for_write();
  if (!socket_->writing() && socket_->write_error() == 0) co_return;
  detail::ready_list().push_back(*client_gone_);
  co_await std::suspend_always();
}

// ---- misbehaving

void Responder::break_off(std::string_view last_bytes) {
  out_.append(last_bytes);
  keep_alive_ = false;
  stage_ = Stage::complete;
}

void Responder::reset() {
  socket_->reset();
  break_off();
}

// ---- the connection's side

void Responder::start(bool head_only, int version_minor, bool keep_alive) {
  stage_ = Stage::unanswered;
  head_only_ = head_only;
  version_minor_ = version_minor;
  keep_alive_ = keep_alive;
  if (!fields_.empty()) fields_.clear();
}

void Responder::finish() {
  switch (stage_) {
    case Stage::unanswered:
      return fail();
    case Stage::counted:
      if (announced_ != 0 && !head_only_) keep_alive_ = false;
      break;
    case Stage::chunked:
      if (!head_only_) out_.append(wire::kLastChunk);
      break;
    case Stage::until_close:
    case Stage::complete:
      break;
  }
  stage_ = Stage::complete;
}

void Responder::fail() {
  bool unanswered = stage_ == Stage::unanswered;
  keep_alive_ = false;
  stage_ = Stage::complete;
  fields_.clear();
  if (unanswered) answer(500);
}

void Responder::send_continue() {
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

bool Responder::full() const noexcept {
  return !body_.empty() || out_.size() >= kFullBytes;
}

bool Responder::flush() {
  if (socket_->writing() || socket_->write_error() != 0) return false;
  socket_->write(std::move(out_), std::move(body_), write_timeout_);
  out_.clear();
  body_ = detail::SharedBytes();
  return true;
}

// ---- heads

/// What a handler says may not break the response apart.
void Responder::check_fields(int status) const {
  if (fields_.empty()) return;
  if (auto checked = wire::check_response(status, "", fields_); !checked) checked.error().raise();
}

Responder::Stage Responder::choose_framing(int status, std::optional<std::uint64_t> length) {
  if (has_no_body(status)) return Stage::counted;
  if (length) {
    std::array<char, 20> digits;
    char* end = std::to_chars(digits.data(), digits.data() + digits.size(), *length).ptr;
    fields_.add("Content-Length", {digits.data(), static_cast<std::size_t>(end - digits.data())});
    return Stage::counted;
  }
  if (version_minor_ == 0) {
    keep_alive_ = false;
    return Stage::until_close;
  }
  fields_.add("Transfer-Encoding", "chunked");
  return Stage::chunked;
}

void Responder::put_head(int status, std::string_view content_type) {
  if (out_.empty()) out_.reserve(kUsualBytes);
  fields_.add("Date", http_date());
  if (!content_type.empty()) fields_.add("Content-Type", content_type);
  if (!keep_alive_)
    fields_.add("Connection", "close");
  else if (version_minor_ == 0)
    fields_.add("Connection", "keep-alive");
  wire::write_response_head(out_, status, reason_of(status), fields_);
}

}  // namespace sluice::server
