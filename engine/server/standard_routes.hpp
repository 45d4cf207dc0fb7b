// SPDX-License-Identifier: MIT
#pragma once

#include "engine/server/server.hpp"

namespace sluice::server {

/// Gives a server the routes of `sluice serve`:
///
///     /             a short page of HTML
///     /status/CODE  that status
///     /bytes/N      N bytes
///     /delay/MS     an answer after MS milliseconds; with the request's body, if it has one
///     /echo         the request's body and Content-Type
///     /chunked/N    N chunks
///     /headers      the request's head as text
///     /gzip/N       N bytes in the content coding gzip, whether it is accepted or not
///     /redirect/N   N redirects, one after the other
void add_standard_routes(Server& server);

}  // namespace sluice::server
