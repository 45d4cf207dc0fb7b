// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>
#include <sluice/method.hpp>

#include "engine/wire/head_check.hpp"

namespace sluice::wire {

/// The status line and fields of a response. Reusable: reading the next one keeps the memory.
struct ResponseHead {
  int status = 0;
  int version_minor = 1;  ///< HTTP/1.0 or HTTP/1.1
  detail::String reason;  ///< as sent, may be empty
  Headers headers;
};

/// The request line and fields of a request.
struct RequestHead {
  Method method{""};
  int version_minor = 1;
  detail::String target;  ///< as sent, in any of its four forms (RFC 9112, 3.2)
  Headers headers;
};

/// Why llhttp refuses a head.
struct ParseFault {
  const char* reason = nullptr;  ///< a sentence, nullptr if the head is fine
  const char* code = "";         ///< "HPE_..."
};

/// Lets llhttp read a head that HeadCheck found complete, but for fields that mean nothing to it: the start
/// line goes to `head`, whose fields are those of the block already, with one plain Content-Length at most.
ParseFault parse_head(std::string_view block, const HeadFacts& facts, ResponseHead& head);
ParseFault parse_head(std::string_view block, const HeadFacts& facts, RequestHead& head);

}  // namespace sluice::wire
