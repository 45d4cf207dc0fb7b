// SPDX-License-Identifier: MIT
#pragma once

#include "engine/server/server.hpp"

namespace sluice::server {

/// Gives a server routes that misbehave, to try clients out:
///
///     /fault/close       closes the connection without an answer
///     /fault/reset       resets it
///     /fault/garbage     answers with what is no HTTP
///     /fault/truncate/N  announces one byte more than the N bytes that it sends before it closes
///     /fault/unended/N   sends N bytes in chunks and closes before the last chunk
///     /fault/gzip        a gzip body that ends too early, though it is as long as it says
///     /fault/stall       stops in the middle of the body, for a minute
///     /fault/slow/N      N bytes, one every 10 milliseconds
void add_fault_routes(Server& server);

}  // namespace sluice::server
