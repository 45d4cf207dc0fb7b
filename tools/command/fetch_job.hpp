// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <sluice/client.hpp>
#include <sluice/request.hpp>

#include "tools/command/fetch_plan.hpp"
#include "tools/command/line_splitter.hpp"

namespace sluice::command {

/// One request of a list.
struct FetchJob {
  std::uint64_t line = 0;
  std::size_t input_bytes = 0;
  nlohmann::json id;  ///< as in the input; the number of the line if it states none
  std::string url;    ///< as in the input
  std::string host;   ///< with its port: whose turn it must be
  std::optional<Request> request;
  std::string defect;  ///< why there is no request
};

/// A line that holds a URL or, as JSON, a request. Nothing for a line of blanks; a line that is wrong becomes
/// a job with a defect.
std::optional<FetchJob> parse_job(const Line& line, const FetchPlan& plan, AsyncClient& client);

}  // namespace sluice::command
