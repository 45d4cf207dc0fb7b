// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>
#include <sluice/result.hpp>

namespace sluice::wire {

/// Refuses a status that is not three digits, a reason with control characters, and fields as check_request()
/// does: local_protocol_error, Phase::setup.
Result<void> check_response(int status, std::string_view reason, const Headers& headers);

/// Appends status line, fields in their order and blank line. What it writes must have passed
/// check_response().
void write_response_head(detail::String& out, int status, std::string_view reason, const Headers& headers);

/// Appends the line before a chunk of `size` bytes (RFC 9112, 7.1); 0 would end the body, see kLastChunk.
void write_chunk_line(detail::String& out, std::uint64_t size);

inline constexpr std::string_view kChunkEnd = "\r\n";        ///< after the data of a chunk
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";  ///< ends a chunked body without trailers

}  // namespace sluice::wire
