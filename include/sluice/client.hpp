// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <sluice/detail/attempt.hpp>
#include <sluice/options.hpp>
#include <sluice/request.hpp>
#include <sluice/response.hpp>
#include <sluice/result.hpp>
#include <sluice/shard.hpp>
#include <sluice/task.hpp>
#include <sluice/tls.hpp>

namespace sluice {

/// A request of a client that is sent when it is awaited:
///
///     auto response = co_await client.get("/users").query("page", "2").timeout(2s);
///
/// Awaiting it gives a Response or throws; `.as_result()` gives a Result and never throws.
class [[nodiscard]] RequestBuilder : public detail::RequestSetters<RequestBuilder> {
 public:
  auto operator co_await() && { return detail::ThrowingAwaiter<Response>(std::move(*this).as_result()); }
  /// The request as a task that never throws an Error.
  Task<Result<Response>> as_result() &&;
  /// The request itself.
  Request build() && { return std::move(request_); }

 private:
  friend class detail::RequestSetters<RequestBuilder>;
  friend class AsyncClient;
  friend RequestBuilder request(Method method, std::string_view url);
  RequestBuilder(std::shared_ptr<detail::ClientCore> core, Request request)
      : core_(std::move(core)), request_(std::move(request)) {}

  Request& request() noexcept { return request_; }

  std::shared_ptr<detail::ClientCore> core_;  // none: a client is made when the request is sent
  Request request_;
};

/// The same for a response whose body is streamed.
class [[nodiscard]] StreamBuilder : public detail::RequestSetters<StreamBuilder> {
 public:
  auto operator co_await() && {
    return detail::ThrowingAwaiter<StreamingResponse>(std::move(*this).as_result());
  }
  Task<Result<StreamingResponse>> as_result() &&;

 private:
  friend class detail::RequestSetters<StreamBuilder>;
  friend class AsyncClient;
  StreamBuilder(std::shared_ptr<detail::ClientCore> core, Request request)
      : core_(std::move(core)), request_(std::move(request)) {}

  Request& request() noexcept { return request_; }

  std::shared_ptr<detail::ClientCore> core_;
  Request request_;
};

/// A request on a client of its own, made for it alone: for scripts. Several requests want an AsyncClient,
/// which keeps its connections.
RequestBuilder request(Method method, std::string_view url);
inline RequestBuilder get(std::string_view url) {
  return request(Method::Get, url);
}

/// What a client's pool holds at this moment.
struct PoolStats {
  std::uint32_t connections = 0;  ///< connecting, in use and idle
  std::uint32_t idle = 0;
  std::uint32_t waiting = 0;  ///< requests that wait for a connection
  std::uint64_t opened = 0;   ///< connections made since the start
};

/// An HTTP client with its own pool of connections on one shard.
///
/// Threading: used on its shard only; any number of tasks may use it at the same time. Destroying it closes
/// its connections; requests still in flight end with ClientClosed.
class AsyncClient {
 public:
  /// A client on the shard that runs the calling task.
  explicit AsyncClient(const ClientOptions& options = {});
  AsyncClient(Shard& shard, const ClientOptions& options = {});
  AsyncClient(AsyncClient&&) noexcept = default;
  AsyncClient& operator=(AsyncClient&&) = delete;
  ~AsyncClient();

  RequestBuilder get(std::string_view url) { return request(Method::Get, url); }
  RequestBuilder options(std::string_view url) { return request(Method::Options, url); }
  RequestBuilder head(std::string_view url) { return request(Method::Head, url); }
  RequestBuilder post(std::string_view url) { return request(Method::Post, url); }
  RequestBuilder put(std::string_view url) { return request(Method::Put, url); }
  RequestBuilder patch(std::string_view url) { return request(Method::Patch, url); }
  RequestBuilder delete_(std::string_view url) { return request(Method::Delete, url); }
  RequestBuilder request(Method method, std::string_view url);

  /// A request with the client's base URL, headers, parameters and timeouts in it.
  Request build_request(Method method, std::string_view url);
  /// Sends a request made by build_request() or by hand.
  RequestBuilder send(Request request);

  /// A request whose response body is streamed.
  StreamBuilder stream(Method method, std::string_view url);
  StreamBuilder send_streaming(Request request);

  /// Closes all connections; requests in flight and later ones end with ClientClosed.
  void close();
  bool is_closed() const noexcept;
  PoolStats pool_stats() const;
  TlsTicketStats tls_ticket_stats() const;

 private:
  std::shared_ptr<detail::ClientCore> core_;
};

}  // namespace sluice
