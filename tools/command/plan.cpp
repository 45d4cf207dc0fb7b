// SPDX-License-Identifier: MIT
#include "tools/command/plan.hpp"

#include <algorithm>
#include <chrono>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

constexpr const char* kUsualDuration = "10s";

/// The part of `whole` for one of `count` members: parts differ by one at most.
std::uint64_t part(std::uint64_t whole, std::uint64_t member, std::uint64_t count) {
  return whole / count + (member < whole % count ? 1 : 0);
}

/// A URL that no request can be made of is told once, and not as an error of every request.
void check_url(const std::string& text) {
  Url url(text);
  if (url.is_absolute() && (url.scheme() == "http" || url.scheme() == "https")) return;
  throw Failure(kBadUrl, "the URL must be 'http://' or 'https://' and a host: '" + text + "'");
}

}  // namespace

Plan::Plan(const LoadArguments& arguments)
    : arguments_(&arguments),
      url_(complete_url(arguments.url)),
      body_(read_data(arguments.body)),
      timeout_(parse_duration(arguments.timeout)),
      tls_(tls_context(arguments.tls)) {
  check_url(url_);
  if (arguments.duration)
    duration_ = parse_duration(*arguments.duration);
  else if (!arguments.requests)
    duration_ = parse_duration(kUsualDuration);
  std::uint64_t most = arguments.requests.value_or(arguments.connections);
  connections_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(arguments.connections, most));
  shards_ = std::min(arguments.shards, connections_);
}

Plan::Share Plan::share_of(unsigned shard) const {
  Share share;
  share.connections = static_cast<std::uint32_t>(part(connections_, shard, shards_));
  if (arguments_->requests) share.requests = part(*arguments_->requests, shard, shards_);
  if (arguments_->rate) {
    std::chrono::duration<double> interval(1 / *arguments_->rate);
    share.interval = std::chrono::duration_cast<Duration>(interval * shards_);
    share.first_start = std::chrono::duration_cast<Duration>(interval * shard);
  }
  return share;
}

ClientOptions Plan::client_options(const Share& share) const {
  Limits limits;
  limits.max_connections = limits.max_keepalive_connections = share.connections;
  limits.keepalive_expiry = kNoTimeout;
  ClientOptions options;
  options.limits(limits).timeout(timeout_).tls(tls_);
  if (!arguments_->unix_socket.empty()) options.unix_socket(arguments_->unix_socket);
  return options;
}

Request Plan::make_request(AsyncClient& client) const {
  Method method = body_.empty() ? Method::Get : Method::Post;
  if (!arguments_->method.empty()) method = Method(arguments_->method);
  Request request = client.build_request(method, url_);
  if (!arguments_->keep && !arguments_->decode) request.discard_body();
  if (!arguments_->decode) request.without_header("Accept-Encoding");
  if (!body_.empty()) request.content(body_);
  apply_headers(request, arguments_->headers);
  return request;
}

}  // namespace sluice::command
