// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include <sluice/request.hpp>
#include <sluice/result.hpp>

#include "engine/http/upload.hpp"

namespace sluice::detail {

/// Readies the body of a request that is about to be sent: states in its headers how long it is and of what
/// type, unless the caller did, and opens what it is made of. A form becomes bytes if it has no files on
/// disk. Gives the upload that sends it, or null when it is bytes that leave with the head.
///
/// Errors: local_protocol_error when the caller's framing fields contradict the body, stream_consumed when a
/// generator is sent again, system_error when a file cannot be opened.
Result<std::unique_ptr<http::Upload>> prepare_body(Request& request, RequestBody& body,
                                                   Duration continue_wait);

}  // namespace sluice::detail
