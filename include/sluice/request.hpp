// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/detail/awaitable.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/error.hpp>
#include <sluice/headers.hpp>
#include <sluice/method.hpp>
#include <sluice/options.hpp>
#include <sluice/url.hpp>

namespace sluice {

class Request;

/// A 1xx response: one that comes before the final one. The views hold during the call that hands it over.
struct InformationalResponse {
  int status;
  std::string_view reason;
  const Headers& headers;
};

namespace detail {

/// The setters that a Request and an awaitable request share. Each may be called on a named object or in a
/// chain on a temporary; none fails: what is wrong is reported when the request is sent.
template <class Derived>
class RequestSetters {
 public:
  /// Replaces the field of that name.
  Derived& header(std::string_view name, std::string_view value) &;
  Derived&& header(std::string_view name, std::string_view value) && {
    return std::move(header(name, value));
  }
  /// Adds a field beside those of the same name.
  Derived& add_header(std::string_view name, std::string_view value) &;
  Derived&& add_header(std::string_view name, std::string_view value) && {
    return std::move(add_header(name, value));
  }
  /// Takes a field away, a client's default among them.
  Derived& without_header(std::string_view name) &;
  Derived&& without_header(std::string_view name) && { return std::move(without_header(name)); }
  /// Adds a query parameter. Parameters replace the query that stands in the URL (HTTPX's rule).
  Derived& query(std::string_view name, std::string_view value) &;
  Derived&& query(std::string_view name, std::string_view value) && { return std::move(query(name, value)); }
  /// The body; copied once. Content-Length is stated by itself, Content-Type is the caller's business.
  Derived& content(std::string_view bytes) &;
  Derived&& content(std::string_view bytes) && { return std::move(content(bytes)); }
  /// The body of the response is not wanted: it is thrown away as it comes, in the kernel where it can, and
  /// the content stays empty. For a response that is not streamed.
  Derived& discard_body() &;
  Derived&& discard_body() && { return std::move(discard_body()); }
  /// Calls `function` with each 1xx response that comes before the final one. It must not throw.
  template <AwaitSafeCallable F>
  requires std::invocable<F&, const InformationalResponse&> Derived& on_informational(F&& function) & {
    auto& self = static_cast<Derived&>(*this);
    self.request().on_informational_ = std::forward<F>(function);
    return self;
  }
  template <AwaitSafeCallable F>
  requires std::invocable<F&, const InformationalResponse&> Derived && on_informational(F&& function) && {
    return std::move(on_informational(std::forward<F>(function)));
  }
  Derived& timeout(Timeout timeout) &;
  Derived&& timeout(Timeout value) && { return std::move(timeout(value)); }
  /// The same for all four phases.
  Derived& timeout(Duration duration) & { return timeout(Timeout::all(duration)); }
  Derived&& timeout(Duration duration) && { return std::move(timeout(Timeout::all(duration))); }
};

}  // namespace detail

/// A request that is not bound to a client: a value, may be sent many times. AsyncClient::build_request()
/// makes one with the client's defaults in it; one made by hand is sent as it is, but for the base URL and
/// for Host and Content-Length where HTTP demands them.
class Request : public detail::RequestSetters<Request> {
 public:
  /// An invalid URL is reported when the request is sent.
  Request(Method method, std::string_view url);
  Request(Method method, Url url) : method_(method), url_(std::move(url)) {}

  static Request get(std::string_view url) { return Request(Method::Get, url); }
  static Request options(std::string_view url) { return Request(Method::Options, url); }
  static Request head(std::string_view url) { return Request(Method::Head, url); }
  static Request post(std::string_view url) { return Request(Method::Post, url); }
  static Request put(std::string_view url) { return Request(Method::Put, url); }
  static Request patch(std::string_view url) { return Request(Method::Patch, url); }
  static Request delete_(std::string_view url) { return Request(Method::Delete, url); }

  const Method& method() const noexcept { return method_; }
  const Url& url() const noexcept { return url_; }
  const Headers& headers() const noexcept { return headers_; }
  Headers& headers() noexcept { return headers_; }
  std::string_view body() const noexcept { return body_.view(); }
  const detail::SharedBytes& shared_body() const noexcept { return body_; }
  const std::function<void(const InformationalResponse&)>& informational_observer() const noexcept {
    return on_informational_;
  }

 private:
  template <class>
  friend class detail::RequestSetters;
  friend class detail::ClientCore;

  Request& request() noexcept { return *this; }

  Method method_;
  Url url_;
  Headers headers_;
  detail::SharedBytes body_;
  Timeout timeout_;
  bool discards_body_ = false;
  std::function<void(const InformationalResponse&)> on_informational_;
  detail::Vector<std::pair<detail::String, detail::String>> parameters_;
  std::optional<Error> defect_;
};

namespace detail {

template <class Derived>
Derived& RequestSetters<Derived>::header(std::string_view name, std::string_view value) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().headers_.set(name, value);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::add_header(std::string_view name, std::string_view value) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().headers_.add(name, value);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::without_header(std::string_view name) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().headers_.remove(name);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::query(std::string_view name, std::string_view value) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().parameters_.emplace_back(String(name), String(value));
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::content(std::string_view bytes) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_ = SharedBytes(bytes);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::discard_body() & {
  auto& self = static_cast<Derived&>(*this);
  self.request().discards_body_ = true;
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::timeout(Timeout timeout) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().timeout_ = timeout;
  return self;
}

}  // namespace detail
}  // namespace sluice
