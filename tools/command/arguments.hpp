// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sluice/detail/timer.hpp>
#include <sluice/request.hpp>

/// What the values of options mean. All throw Failure when a value is wrong.
namespace sluice::command {

/// "500ms", "10s", "2m", "1.5h"; a number alone means seconds.
Duration parse_duration(const std::string& text);

/// The text itself, or with "@FILE" what stands in the file; "@-" is standard input.
std::string read_data(const std::string& argument);

/// Header arguments as curl takes them: "Name: value"; "Name:" removes a default, "Name;" sends it empty.
void apply_headers(Request& request, const std::vector<std::string>& arguments);

/// A URL without a scheme is one of http.
std::string complete_url(const std::string& argument);

}  // namespace sluice::command
