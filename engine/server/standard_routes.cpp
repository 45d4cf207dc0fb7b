// SPDX-License-Identifier: MIT
#include "engine/server/standard_routes.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <sluice/detail/shared_bytes.hpp>
#include <sluice/time.hpp>

#include "engine/wire/grammar.hpp"
#include "engine/wire/gzip.hpp"

namespace sluice::server {
namespace {

constexpr std::string_view kBinary = "application/octet-stream";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kReading = "GET, HEAD";

constexpr std::uint64_t kMostBytes = 1'000'000'000'000;
constexpr std::uint64_t kMostDelay = 24 * 3600 * 1000;
constexpr std::uint64_t kMostChunks = 1'000'000'000;
constexpr std::uint64_t kMostRedirects = 1'000'000'000;

constexpr std::string_view kPage = R"(<!DOCTYPE html>
<html>
<head><title>sluice</title></head>
<body>
<h1>sluice</h1>
<ul>
<li><a href="/status/404">/status/CODE</a>: that status</li>
<li><a href="/bytes/128">/bytes/N</a>: N bytes</li>
<li><a href="/delay/100">/delay/MS</a>: an answer after MS milliseconds</li>
<li><a href="/echo">/echo</a>: the body of the request</li>
<li><a href="/chunked/10">/chunked/N</a>: N chunks</li>
<li><a href="/headers">/headers</a>: the head of the request</li>
<li><a href="/redirect/3">/redirect/N</a>: N redirects</li>
</ul>
</body>
</html>
)";

/// The block that all bytes of /bytes come from.
const detail::SharedBytes& block() {
  static const detail::SharedBytes bytes = [] {
    constexpr std::size_t kSize = 256 * 1024;
    std::string text(kSize, '\0');
    for (std::size_t i = 0; i < kSize; ++i) text[i] = i % 64 == 63 ? '\n' : static_cast<char>('0' + i % 64);
    return detail::SharedBytes(text);
  }();
  return bytes;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t most) {
  std::optional<std::uint64_t> number = wire::parse_length(text);
  return number && *number <= most ? number : std::nullopt;
}

Task<void> serve_page(Request& request, Responder& responder) {
  if (request.rest().empty())
    responder.answer(200, kHtml, kPage);
  else
    responder.answer(404);
  co_return;
}

Task<void> serve_status(Request& request, Responder& responder) {
  auto status = parse_number(request.rest(), 999);
  bool final = status && *status >= 200;
  responder.answer(final ? static_cast<int>(*status) : 400);
  co_return;
}

Task<void> serve_bytes(Request& request, Responder& responder) {
  auto size = parse_number(request.rest(), kMostBytes);
  if (!size) co_return responder.answer(400);
  std::string_view bytes = block().view();
  constexpr std::uint64_t kCopied = 16 * 1024;
  if (*size <= kCopied) co_return responder.answer(200, kBinary, bytes.substr(0, *size));

  responder.begin(200, kBinary, *size);
  if (!responder.wants_body()) co_return;
  std::uint64_t rest = *size;
  for (; rest >= bytes.size(); rest -= bytes.size()) co_await responder.send(block());
  co_await responder.send(bytes.substr(0, rest));
}

Task<void> serve_echo(Request& request, Responder& responder) {
  auto type = request.headers().first("content-type");
  if (type) responder.header("Content-Type", *type);
  responder.header("X-Method", request.method().name());
  responder.answer(200, type ? "" : kBinary, request.body());
  co_return;
}

Task<void> serve_delay(Request& request, Responder& responder) {
  auto delay = parse_number(request.rest(), kMostDelay);
  if (!delay) co_return responder.answer(400);
  co_await sleep_for(std::chrono::milliseconds(*delay));
  if (request.body().empty())
    responder.answer(200, kText, "waited " + std::to_string(*delay) + " ms\n");
  else
    co_await serve_echo(request, responder);
}

Task<void> serve_chunks(Request& request, Responder& responder) {
  auto count = parse_number(request.rest(), kMostChunks);
  if (!count) co_return responder.answer(400);
  responder.begin(200, kText);
  if (!responder.wants_body()) co_return;
  for (std::uint64_t i = 0; i < *count; ++i) {
    std::string chunk = "chunk " + std::to_string(i) + "\n";
    co_await responder.send(chunk);
  }
}

Task<void> serve_headers(Request& request, Responder& responder) {
  std::string text(request.method().name());
  text.append(" ")
      .append(request.target())
      .append(" HTTP/1.")
      .append(std::to_string(request.version_minor()));
  text += '\n';
  for (Headers::Field field : request.headers())
    text.append(field.name).append(": ").append(field.value) += '\n';
  responder.answer(200, kText, text);
  co_return;
}

Task<void> serve_gzip(Request& request, Responder& responder) {
  auto size = parse_number(request.rest(), block().size());
  if (!size) co_return responder.answer(400);
  responder.header("Content-Encoding", "gzip");
  responder.answer(200, kText, wire::gzip(block().view().substr(0, *size)));
}

Task<void> serve_redirect(Request& request, Responder& responder) {
  auto count = parse_number(request.rest(), kMostRedirects);
  if (!count) co_return responder.answer(400);
  if (*count == 0) co_return responder.answer(200, kText, "arrived\n");
  responder.header("Location", "/redirect/" + std::to_string(*count - 1));
  responder.answer(302);
}

}  // namespace

void add_standard_routes(Server& server) {
  server.route("/", serve_page, kReading);
  server.route("/status", serve_status);
  server.route("/bytes", serve_bytes, kReading);
  server.route("/delay", serve_delay);
  server.route("/echo", serve_echo);
  server.route("/chunked", serve_chunks, kReading);
  server.route("/headers", serve_headers);
  server.route("/gzip", serve_gzip, kReading);
  server.route("/redirect", serve_redirect);
}

}  // namespace sluice::server
