// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>
#include <sluice/request.hpp>
#include <sluice/response.hpp>
#include <sluice/tls.hpp>
#include <sluice/url.hpp>

#include "engine/wire/charset.hpp"
#include "engine/wire/head_parser.hpp"

namespace sluice::detail {

/// The encoding of text whose response names none: a name, or a function that looks at the content.
struct DefaultEncoding {
  std::string name;
  std::function<std::string(std::string_view)> detect;
};

/// What came before a response, and what it asks for.
struct Redirects {
  std::vector<Response> history;
  std::optional<Request> next;  // none: it asks for nothing, or that was followed
};

/// What stands behind a Response: one block of recycled memory that moves by pointer.
struct ResponseState : Recycled {
  ResponseState(Url request_url, std::shared_ptr<const DefaultEncoding> its_default_encoding)
      : url(std::move(request_url)), default_encoding(std::move(its_default_encoding)) {}

  /// The name of the encoding of the text: the caller's choice, the response's or the client's.
  std::string encoding() const;
  wire::Charset charset() const { return wire::Charset::find(encoding()).value_or(wire::Charset::utf8()); }
  /// The content as UTF-8.
  std::string text() const;

  wire::ResponseHead head;
  Headers trailers;
  Url url;
  String content;                                           // decoded
  bool content_read = false;                                // content holds the whole body
  std::string chosen_encoding;                              // by the caller; empty if he made no choice
  std::shared_ptr<const DefaultEncoding> default_encoding;  // none: UTF-8
  std::unique_ptr<Redirects> redirects;                     // none: there is nothing to say
  std::uint64_t body_bytes = 0;
  std::uint64_t decoded_bytes = 0;
  std::uint64_t bytes_received = 0;  // on the wire
  Duration elapsed{};
  std::shared_ptr<const net::TlsFacts> tls;  // none without TLS
};

}  // namespace sluice::detail
