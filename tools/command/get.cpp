// SPDX-License-Identifier: MIT
#include "tools/command/get.hpp"

#include <chrono>
#include <cstdio>
#include <optional>

#include <sluice/sluice.hpp>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"
#include "tools/command/output.hpp"
#include "tools/command/stop.hpp"

namespace sluice::command {
namespace {

constexpr Duration kUsualConnectTimeout = std::chrono::seconds(10);

std::optional<std::string> body_of(const GetArguments& arguments) {
  if (arguments.data.empty()) return std::nullopt;
  std::string body;
  for (const std::string& part : arguments.data) {
    if (!body.empty()) body += '&';
    body += read_data(part);
  }
  return body;
}

Method method_of(const GetArguments& arguments) {
  if (!arguments.method.empty()) return Method(arguments.method);
  if (arguments.head) return Method::Head;
  return arguments.data.empty() ? Method::Get : Method::Post;
}

ClientOptions client_options(const GetArguments& arguments) {
  Timeout timeout = Timeout::all(kNoTimeout);  // as curl: patience has no end unless it is stated
  timeout.connect =
      arguments.connect_timeout.empty() ? kUsualConnectTimeout : parse_duration(arguments.connect_timeout);
  ClientOptions options;
  options.timeout(timeout);
  if (!arguments.unix_socket.empty()) options.unix_socket(arguments.unix_socket);
  return options;
}

Request make_request(AsyncClient& client, const GetArguments& arguments) {
  Request request = client.build_request(method_of(arguments), complete_url(arguments.url));
  if (auto body = body_of(arguments)) {
    request.header("Content-Type", "application/x-www-form-urlencoded");
    request.content(*body);
  }
  apply_headers(request, arguments.headers);
  return request;
}

void append_fields(std::string& text, const Headers& headers, const char* mark, const char* line_end) {
  for (Headers::Field field : headers)
    text.append(mark).append(field.name).append(": ").append(field.value).append(line_end);
  text.append(mark).append(line_end);
}

std::string head_of(const ResponseBase& response, const char* mark, const char* line_end) {
  std::string text(mark);
  text.append(response.http_version()).append(" ").append(std::to_string(response.status())).append(" ");
  text.append(response.reason()).append(line_end);
  append_fields(text, response.headers(), mark, line_end);
  return text;
}

std::string head_of(const Request& request) {
  std::string text = "> ";
  text.append(request.method().name()).append(" ").append(request.url().raw_path()).append(" HTTP/1.1\n");
  append_fields(text, request.headers(), "> ", "\n");
  return text;
}

void describe_connection(const GetArguments& arguments, const Request& request) {
  std::string place = arguments.unix_socket.empty() ? std::string(request.url().raw_host()) + " port " +
                                                          std::to_string(request.url().effective_port())
                                                    : "unix socket " + arguments.unix_socket;
  std::fprintf(stderr, "* Request to %s, %zu bytes of body\n", place.c_str(), request.body().size());
}

void report_transfer(std::uint64_t bytes, Duration duration) {
  double seconds = std::chrono::duration<double>(duration).count();
  std::fprintf(stderr, "%llu bytes in %.3f s, %.1f MB/s\n", static_cast<unsigned long long>(bytes), seconds,
               static_cast<double>(bytes) / 1e6 / seconds);
}

/// Streams the body to where it belongs.
Task<void> deliver(StreamingResponse response, const GetArguments& arguments, TimePoint start) {
  std::optional<Output> file;
  if (!arguments.output.empty()) file.emplace(arguments.output);
  Output standard_output;
  Output& output = file ? *file : standard_output;
  if (arguments.include || arguments.head) output.write(head_of(response, "", "\r\n"));
  auto body = response.iter_raw();
  while (auto chunk = co_await body.next()) output.write(chunk->view());
  output.finish();
  if (file && !arguments.silent) report_transfer(output.bytes(), Clock::now() - start);
}

Task<void> fetch(const GetArguments& arguments) {
  TimePoint start = Clock::now();
  ClientOptions options = client_options(arguments);
  AsyncClient client(options);
  Request request = make_request(client, arguments);
  if (arguments.verbose) {
    describe_connection(arguments, request);
    std::fputs(head_of(request).c_str(), stderr);
  }
  StreamingResponse response = co_await client.send_streaming(request);
  if (arguments.verbose) std::fputs(head_of(response, "< ", "\n").c_str(), stderr);
  if (arguments.fail && response.status() >= 400) {
    std::string line = "the server answered " + std::to_string(response.status());
    throw Failure(kHttpError, line.append(" ").append(response.reason()));
  }
  co_await deliver(std::move(response), arguments, start);
}

Task<int> fetch_until_stopped(const GetArguments& arguments, Shard& shard, StopSignal& stop) {
  Duration limit = arguments.max_time.empty() ? kNoTimeout : parse_duration(arguments.max_time);
  auto outcome = co_await when_any(with_timeout(limit, fetch(arguments)), stop.wait(shard));
  co_return outcome.index() == 0 ? kSuccess : kInterrupted;
}

}  // namespace

int get(const GetArguments& arguments) {
  StopSignal stop;
  Shard shard;
  SignalThread signals([&stop] { stop.request(); });
  return shard.block_on(fetch_until_stopped(arguments, shard, stop));
}

}  // namespace sluice::command
