// SPDX-License-Identifier: MIT
#pragma once

#include <sluice/headers.hpp>
#include <sluice/method.hpp>
#include <sluice/result.hpp>
#include <sluice/url.hpp>

namespace sluice::wire {

/// The request that a redirect asks for.
struct RedirectedRequest {
  Method method;
  Url url;
  Headers headers;
  bool keeps_body = true;
};

/// Whether a response asks for another request: 301, 302, 303, 307 or 308 with a Location field
/// (RFC 9110, 15.4). 300, 304 and 305 are never followed.
bool has_redirect_location(int status, const Headers& response_headers);

/// What a request becomes by a redirect; requires has_redirect_location(). HTTPX's rules; docs/httpx.md lists
/// where they differ. Credentials stay with the origin that they were meant for.
///
/// Errors: invalid_url when Location is no URL that could be requested, or when there are several that
/// differ.
Result<RedirectedRequest> redirect(const Method& method, const Url& url, const Headers& headers, int status,
                                   const Headers& response_headers);

}  // namespace sluice::wire
