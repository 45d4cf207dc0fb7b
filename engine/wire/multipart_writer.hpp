// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>

namespace sluice::wire {

/// The head of one part of a multipart/form-data body (RFC 7578, 4.2).
struct PartHead {
  std::string_view name;
  std::string_view filename = {};                     ///< empty: none
  const Headers* headers = nullptr;                   ///< stand behind Content-Disposition
  std::optional<std::string_view> content_type = {};  ///< unless the headers have one
};

/// Appends the delimiter and the head of a part; its data and kPartEnd follow. Names are escaped as HTML 5
/// demands: the double quote and control characters as %XX (HTTPX also doubles the backslash).
void write_part_head(detail::String& out, std::string_view boundary, const PartHead& head);
inline constexpr std::string_view kPartEnd = "\r\n";
/// Appends the delimiter behind the last part.
void write_multipart_end(detail::String& out, std::string_view boundary);

/// Whether a Content-Type is multipart/form-data.
bool is_form_data(std::string_view content_type);
/// The boundary that a Content-Type states, without quotes; nothing if it states none, or an empty one.
std::optional<std::string_view> boundary_of(std::string_view content_type);
/// The media type that the extension of a filename suggests; application/octet-stream if none does.
std::string_view media_type_of(std::string_view filename);

}  // namespace sluice::wire
