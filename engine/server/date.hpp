// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace sluice::server {

/// The time of day as an HTTP date (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Made anew once a
/// second and thread; valid until the thread's next call.
std::string_view http_date();

}  // namespace sluice::server
