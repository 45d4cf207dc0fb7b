// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/body.hpp>
#include <sluice/chunk.hpp>
#include <sluice/detail/awaitable.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/error.hpp>
#include <sluice/generator.hpp>
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

  // The body: the last one that is set counts. Content-Length or Transfer-Encoding is stated by itself, and
  // where a Content-Type is named here, so is that, unless the caller states it. A Content-Length of the
  // caller's must be true.

  /// These bytes, copied once. Content-Type is the caller's business.
  Derived& content(std::string_view bytes) &;
  Derived&& content(std::string_view bytes) && { return std::move(content(bytes)); }
  /// A JSON text as application/json; it is not looked at.
  Derived& json(std::string_view text) &;
  Derived&& json(std::string_view text) && { return std::move(json(text)); }
  /// The regular file at `path`, opened each time the request is sent, with the size it has then. When it
  /// cannot be opened or read, SystemError with errno; when it becomes shorter meanwhile,
  /// LocalProtocolError.
  Derived& file(std::string_view path) &;
  Derived&& file(std::string_view path) && { return std::move(file(path)); }
  /// What a coroutine gives, in the chunked coding; it is asked for the next chunk when the kernel has taken
  /// the one before. Can be sent once: a second time gives StreamConsumed. It runs on the shard and is
  /// destroyed when the response or an error comes first. What it throws ends the request: an Error as the
  /// request's error, anything else comes out of the await as it is, also out of `.as_result()`.
  Derived& body(Generator<Chunk> generator) &;
  Derived&& body(Generator<Chunk> generator) && { return std::move(body(std::move(generator))); }
  /// The same with a Content-Length of so many bytes; LocalProtocolError if it gives less or more. The last
  /// chunk is sent when the generator has ended.
  Derived& body(Generator<Chunk> generator, std::uint64_t length) &;
  Derived&& body(Generator<Chunk> generator, std::uint64_t length) && {
    return std::move(body(std::move(generator), length));
  }
  /// Adds a field to a form: application/x-www-form-urlencoded, or multipart/form-data with files in it.
  Derived& form_field(std::string_view name, std::string_view value) &;
  Derived&& form_field(std::string_view name, std::string_view value) && {
    return std::move(form_field(name, value));
  }
  /// Adds a file to a form. Fields stand before files, as in HTTPX. The boundary is that of the caller's
  /// Content-Type, or random.
  Derived& form_file(std::string_view name, FormFile file) &;
  Derived&& form_file(std::string_view name, FormFile file) && {
    return std::move(form_file(name, std::move(file)));
  }
  /// Sends the head with "Expect: 100-continue" and the body when the server asks for it, or after `wait`. A
  /// final response instead is delivered, and the body stays at home. Without a body it has no effect.
  Derived& expect_continue(Duration wait = std::chrono::seconds(1)) &;
  Derived&& expect_continue(Duration wait = std::chrono::seconds(1)) && {
    return std::move(expect_continue(wait));
  }
  /// Follows redirects, or not, whatever the client does otherwise.
  Derived& follow_redirects(bool follow) &;
  Derived&& follow_redirects(bool follow) && { return std::move(follow_redirects(follow)); }
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
  using RequestSetters::body;
  /// The body if it is bytes (content() or json()); otherwise empty.
  std::string_view body() const noexcept { return body_.bytes().view(); }
  const detail::SharedBytes& shared_body() const noexcept { return body_.bytes(); }
  /// Whether the request can be sent again: not when its body is a generator.
  bool replayable() const noexcept { return body_.replayable(); }
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
  detail::RequestBody body_;
  Duration continue_wait_ = std::chrono::seconds(1);
  Timeout timeout_;
  bool discards_body_ = false;
  std::optional<bool> follow_redirects_;
  bool has_parameters_applied_ = false;  // a redirect's URL stays as the server has it
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
  self.request().body_ = RequestBody(SharedBytes(bytes));
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::json(std::string_view text) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_ = RequestBody(SharedBytes(text), true);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::file(std::string_view path) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_ = RequestBody(FileBody{SharedBytes(path)});
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::body(Generator<Chunk> generator) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_ = RequestBody(std::allocate_shared<GeneratedBody>(RecyclingAllocator<GeneratedBody>(),
                                                                         std::move(generator), std::nullopt));
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::body(Generator<Chunk> generator, std::uint64_t length) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_ = RequestBody(
      std::allocate_shared<GeneratedBody>(RecyclingAllocator<GeneratedBody>(), std::move(generator), length));
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::form_field(std::string_view name, std::string_view value) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_.add_field(name, value);
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::form_file(std::string_view name, FormFile file) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().body_.add_file(name, std::move(file));
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::expect_continue(Duration wait) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().headers_.set("Expect", "100-continue");
  self.request().continue_wait_ = wait;
  return self;
}
template <class Derived>
Derived& RequestSetters<Derived>::follow_redirects(bool follow) & {
  auto& self = static_cast<Derived&>(*this);
  self.request().follow_redirects_ = follow;
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
