// SPDX-License-Identifier: MIT
#include "tools/command/fetch_plan.hpp"

#include <chrono>
#include <filesystem>
#include <limits>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

// A row is made in memory, so its body is limited unless somebody asks for more.
constexpr std::uint64_t kUsualInlineBytes = 8 * 1024 * 1024;

std::uint64_t usual_limit(BodyMode mode) {
  return mode == BodyMode::inline_ ? kUsualInlineBytes : std::numeric_limits<std::uint64_t>::max();
}

void make_folder(const FetchArguments& arguments) {
  if ((arguments.body == BodyMode::file) == arguments.output_dir.empty())
    throw Failure(kUsage, "--body file and --output-dir go together");
  if (arguments.output_dir.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(arguments.output_dir, error);
  if (error) throw Failure(kWriteOutput, "cannot make '" + arguments.output_dir + "': " + error.message());
}

}  // namespace

FetchPlan::FetchPlan(const FetchArguments& arguments)
    : arguments_(&arguments),
      timeout_(parse_duration(arguments.timeout)),
      max_time_(arguments.max_time.empty() ? kNoTimeout : parse_duration(arguments.max_time)),
      max_body_bytes_(arguments.max_body.value_or(usual_limit(arguments.body))),
      tls_(tls_context(arguments.tls)) {
  if (arguments.rate)
    interval_ = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / *arguments.rate));
  Request any = Request::get("http://any/");
  apply_headers(any, arguments.headers);  // only to find out what is wrong
  make_folder(arguments);
}

ClientOptions FetchPlan::client_options() const {
  Limits limits;
  limits.max_connections = limits.max_keepalive_connections = arguments_->concurrency;
  Timeout timeout = Timeout::all(timeout_);
  timeout.pool = kNoTimeout;  // requests are not begun before there is a connection for them
  ClientOptions options;
  options.limits(limits).timeout(timeout).tls(tls_);
  options.follow_redirects(arguments_->location).max_redirects(arguments_->max_redirects);
  if (!arguments_->unix_socket.empty()) options.unix_socket(arguments_->unix_socket);
  return options;
}

Request FetchPlan::make_request(AsyncClient& client, Method method, const std::string& url) const {
  Request request = client.build_request(method, url);
  apply_headers(request, arguments_->headers);
  return request;
}

}  // namespace sluice::command
