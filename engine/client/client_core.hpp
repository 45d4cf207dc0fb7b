// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include <sluice/client.hpp>

#include "engine/client/content_buffer.hpp"
#include "engine/client/response_state.hpp"
#include "engine/client/stream_state.hpp"
#include "engine/http/connector.hpp"
#include "engine/http/exchange.hpp"
#include "engine/http/pool.hpp"

namespace sluice::detail {

/// What stands behind an AsyncClient and outlives it as long as a request of it does: the client's settings
/// and its network. The policy of a request is here: what a URL, a header, a timeout that is not stated
/// means.
class ClientCore {
 public:
  ClientCore(ring::Loop& loop, const ClientOptions& options);
  ~ClientCore() { close(); }

  /// A request with the client's base URL and headers. A URL that is invalid becomes the request's defect.
  static Request build(const ClientOptions& options, Method method, std::string_view url);
  Request build(Method method, std::string_view url) const { return build(options_, method, url); }

  // Static, so that the task itself keeps the core alive. They follow redirects if they are to.
  static Task<Result<Response>> send(std::shared_ptr<ClientCore> core, Request request);
  static Task<Result<StreamingResponse>> stream(std::shared_ptr<ClientCore> core, Request request);

  /// Ends the requests in flight; also while their shard does not run.
  void close();
  const http::Pool& pool() const noexcept { return pool_; }
  const TlsTicketStats& tls_ticket_stats() const noexcept { return connector_.tickets().counters(); }

 private:
  /// Makes the request what is sent. Gives the upload of its body, if it needs one.
  Result<std::unique_ptr<http::Upload>> complete(Request& request) const;
  static Result<Url> absolute(const Url& base, const Url& url);
  Result<void> apply_parameters(Request& request) const;
  Timeout timeout_of(const Request& request) const;

  static Task<Result<Response>> send_once(std::shared_ptr<ClientCore> core, Request request);
  static Task<Result<StreamingResponse>> stream_once(std::shared_ptr<ClientCore> core, Request request);
  template <class AnyResponse>
  using SendOnce = Task<Result<AnyResponse>> (*)(std::shared_ptr<ClientCore> core, Request request);
  template <class AnyResponse>
  static Task<Result<AnyResponse>> follow(std::shared_ptr<ClientCore> core, Request request,
                                          SendOnce<AnyResponse> send);
  /// What stays of a redirect when the next request is made.
  static Task<Response> pass_by(Response response);
  static Task<Response> pass_by(StreamingResponse response);
  bool follows(const Request& request) const {
    return request.follow_redirects_.value_or(options_.follow_redirects_);
  }
  static void note_redirect(ResponseState& response, const Request& request);
  Result<void> turn_to_next(Request& request, const ResponseState& response,
                            const std::vector<Response>& history) const;

  ClientOptions options_;
  net::ReceiveBudget receive_budget_;
  http::Pool pool_;
  http::Connector connector_;
};

}  // namespace sluice::detail
