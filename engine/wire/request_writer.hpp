// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>
#include <sluice/method.hpp>
#include <sluice/result.hpp>

#include "engine/wire/framing.hpp"

namespace sluice::wire {

/// Refuses what must not go on the wire: local_protocol_error, Phase::setup. Method and header names are
/// tokens, the target is visible ASCII, values have no control character but HTAB and no blanks around them;
/// at most one Host; a body is framed by one Content-Length of digits or by Transfer-Encoding with chunked
/// last, not by both (RFC 9112, 3 and 6). Returns what the fields say of framing and connection.
Result<FramingFields> check_request(const Method& method, std::string_view target, const Headers& headers);

/// Appends request line, fields in their order and blank line. What it writes must have passed
/// check_request().
void write_request_head(detail::String& out, const Method& method, std::string_view target,
                        const Headers& headers);

}  // namespace sluice::wire
