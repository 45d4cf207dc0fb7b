// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include <sluice/detail/memory.hpp>
#include <sluice/response.hpp>
#include <sluice/url.hpp>

#include "engine/http/exchange.hpp"
#include "engine/wire/head_parser.hpp"

namespace sluice::detail {

class ClientCore;

/// What stands behind a Response: one block of recycled memory that moves by pointer.
struct ResponseState : Recycled {
  explicit ResponseState(Url request_url) : url(std::move(request_url)) {}

  wire::ResponseHead head;
  Headers trailers;
  Url url;
  String content;
  std::uint64_t body_bytes = 0;
  std::uint64_t bytes_received = 0;  // on the wire
  Duration elapsed{};
};

/// What stands behind a StreamingResponse: the response so far, the exchange that brings the rest, and what
/// it has brought that nobody has taken yet.
struct StreamState {
  StreamState(std::shared_ptr<ClientCore> its_core, Request its_request, http::Exchange its_exchange)
      : core(std::move(its_core)),
        request(std::move(its_request)),
        response(request.url()),
        exchange(std::move(its_exchange)) {}

  bool settled() const noexcept { return ended || chunk || error; }
  /// Takes from the exchange what has already arrived. A body that is complete ends here, before it is asked
  /// for, so that the connection is not held for the asking.
  void advance();
  /// Hands out the chunk, the end or the error; requires settled().
  Result<std::optional<Chunk>> take();

  std::shared_ptr<ClientCore> core;
  Request request;
  ResponseState response;
  http::Exchange exchange;
  std::optional<Chunk> chunk;
  std::optional<Error> error;
  bool ended = false;
};

}  // namespace sluice::detail
