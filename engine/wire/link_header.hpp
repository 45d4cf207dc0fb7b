// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <sluice/text.hpp>

namespace sluice::wire {

/// Reads the value of a Link field (RFC 8288) the way HTTPX and requests do: links are separated by a comma
/// before a '<', and a parameter that is not one name and one value ends its link. Never fails.
Links parse_links(std::string_view link_header);

}  // namespace sluice::wire
