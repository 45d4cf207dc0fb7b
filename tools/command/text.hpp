// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Bytes as text, for JSON.
namespace sluice::command {

bool is_utf8(std::string_view bytes);

/// The bytes themselves if they are UTF-8, else each as a character of ISO 8859-1: what fields hold.
std::string to_utf8(std::string_view bytes);

/// RFC 4648, 4: with padding.
std::string to_base64(std::string_view bytes);
/// Nothing if it is no base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace sluice::command
