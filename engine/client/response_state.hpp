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

/// What stands behind a StreamingResponse: the response so far and the exchange that brings the rest.
struct StreamState : Recycled {
  StreamState(std::shared_ptr<ClientCore> its_core, Request its_request, http::Exchange its_exchange)
      : core(std::move(its_core)),
        request(std::move(its_request)),
        response(request.url()),
        exchange(std::move(its_exchange)) {}

  std::shared_ptr<ClientCore> core;
  Request request;
  ResponseState response;
  http::Exchange exchange;
  bool ended = false;
};

}  // namespace sluice::detail
