// SPDX-License-Identifier: MIT
#include "engine/wire/redirect.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {
namespace {

Error invalid_location(std::string_view reason) {
  return {ErrorKind::invalid_url, Phase::head,
          "Invalid URL in location header: " + std::string(reason) + "."};
}

/// One field, or several that say the same: which of several targets was meant nobody can know.
Result<std::string_view> only_location(const Headers& response_headers) {
  std::optional<std::string_view> location;
  for (Headers::Field field : response_headers) {
    if (!equal_ignoring_case(field.name, "location")) continue;
    if (location && *location != field.value) return invalid_location("there are several");
    location = field.value;
  }
  return *location;
}

std::string bracketed_host(const Url& url) {
  std::string host(url.raw_host());
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

/// What follows the authority, as it is written.
std::string_view path_onwards(const Url& url) {
  std::string_view rest = url.str().substr(url.scheme().size() + 1);
  if (!rest.starts_with("//")) return rest;
  std::size_t userinfo = url.userinfo().empty() ? 0 : url.userinfo().size() + 1;
  return rest.substr(2 + userinfo + url.netloc().size());
}

/// A location with a scheme but without a host ("https://:443/") means the host of the request; not its port.
Result<Url> with_host_of(const Url& request_url, const Url& location) {
  std::string_view rest = path_onwards(location);
  if (!rest.empty() && std::string_view("/?#").find(rest.front()) == std::string_view::npos)
    return invalid_location("it names no host");
  std::string text(location.scheme());
  text += "://";
  if (!location.userinfo().empty()) text.append(location.userinfo()) += '@';
  return Url::parse(text.append(bracketed_host(request_url)).append(location.netloc()).append(rest));
}

/// A fragment outlives redirects that state none (RFC 9110, 10.2.2).
Result<Url> with_fragment(const Url& url, std::string_view fragment) {
  std::string text(url.str());
  if (text.ends_with('#')) text.pop_back();
  return Url::parse(text.append("#").append(fragment));
}

Result<Url> target_of(const Url& request_url, std::string_view location) {
  Result<Url> target = Url::parse(location);
  if (!target) return target;
  if (!target->scheme().empty() && target->raw_host().empty())
    target = with_host_of(request_url, *target);
  else if (!target->is_absolute())
    target = request_url.join(location);
  if (target && target->fragment().empty() && !request_url.fragment().empty())
    return with_fragment(*target, request_url.fragment());
  return target;
}

Method redirected_method(const Method& method, int status) {
  bool becomes_get = (status == 303 && method != Method::Head) ||
                     (status == 302 && method != Method::Head) ||  // against RFC 9110, as browsers do
                     (status == 301 && method == Method::Post);
  return becomes_get ? Method::Get : method;
}

bool is_same_origin(const Url& a, const Url& b) {
  return a.scheme() == b.scheme() && a.raw_host() == b.raw_host() && a.effective_port() == b.effective_port();
}

/// The same host, only encrypted: what was told in the clear may be told there.
bool is_upgrade_to_https(const Url& from, const Url& to) {
  return from.raw_host() == to.raw_host() && from.scheme() == "http" && from.effective_port() == 80 &&
         to.scheme() == "https" && to.effective_port() == 443;
}

/// Fields about a body that is not sent again.
bool describes_body(std::string_view name) {
  constexpr std::string_view kPrefix = "content-";
  return equal_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) ||
         equal_ignoring_case(name, "transfer-encoding") || equal_ignoring_case(name, "trailer") ||
         equal_ignoring_case(name, "expect");
}

Headers without_body_fields(const Headers& headers) {
  Headers kept;
  for (Headers::Field field : headers) {
    if (!describes_body(field.name)) kept.add(field.name, field.value);
  }
  return kept;
}

void drop_credentials(Headers& headers, const Url& from, const Url& to) {
  headers.remove("Cookie");  // always: which cookies the next request has is for the client to say
  if (is_same_origin(from, to)) return;
  if (!is_upgrade_to_https(from, to)) headers.remove("Authorization");
  headers.remove("Proxy-Authorization");
  headers.remove("WWW-Authenticate");
  headers.set("Host", to.netloc());
}

}  // namespace

bool has_redirect_location(int status, const Headers& response_headers) {
  bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  return redirects && response_headers.contains("location");
}

Result<RedirectedRequest> redirect(const Method& method, const Url& url, const Headers& headers, int status,
                                   const Headers& response_headers) {
  Result<std::string_view> location = only_location(response_headers);
  if (!location) return std::move(location).error();
  Result<Url> target = target_of(url, *location);
  if (!target) return invalid_location(target.error().facts().message);

  RedirectedRequest next{redirected_method(method, status), *std::move(target), {}};
  next.keeps_body = next.method == method;
  next.headers = next.keeps_body ? headers : without_body_fields(headers);
  drop_credentials(next.headers, url, next.url);
  return next;
}

}  // namespace sluice::wire
