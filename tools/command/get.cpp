// SPDX-License-Identifier: MIT
#include "tools/command/get.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <unistd.h>

#include <sluice/sluice.hpp>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"
#include "tools/command/get_request.hpp"
#include "tools/command/output.hpp"
#include "tools/command/resume.hpp"
#include "tools/command/stop.hpp"
#include "tools/command/transfer_progress.hpp"

namespace sluice::command {
namespace {

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

/// With those of the redirects before it.
std::string heads_of(const ResponseBase& response, const char* mark, const char* line_end) {
  std::string text;
  for (const Response& redirect : response.history()) text += head_of(redirect, mark, line_end);
  return text + head_of(response, mark, line_end);
}

std::string head_of(const Request& request) {
  std::string text = "> ";
  text.append(request.method().name()).append(" ").append(request.url().raw_path()).append(" HTTP/1.1\n");
  append_fields(text, request.headers(), "> ", "\n");
  return text;
}

/// Shows a head to whoever watches. A server must not steer his terminal: control characters of eight bits
/// (C1) become '?'. Those of seven cannot stand in a head.
void show(std::string head) {
  bool is_terminal = isatty(STDERR_FILENO) == 1;
  for (std::size_t i = 0; is_terminal && i < head.size(); ++i) {
    auto byte = static_cast<unsigned char>(head[i]);
    auto before = static_cast<unsigned char>(i == 0 ? 0 : head[i - 1]);
    bool continues = before >= 0x80 && before != 0xC2;  // a part of another character
    if (byte >= 0x80 && byte <= 0x9F && !continues) head[i] = '?';
  }
  std::fputs(head.c_str(), stderr);
}

void describe_connection(const GetArguments& arguments, const Request& request) {
  std::string place = arguments.unix_socket.empty() ? std::string(request.url().raw_host()) + " port " +
                                                          std::to_string(request.url().effective_port())
                                                    : "unix socket " + arguments.unix_socket;
  std::fprintf(stderr, "* Request to %s\n", place.c_str());
}

void report_transfer(std::uint64_t bytes, Duration duration) {
  double seconds = std::chrono::duration<double>(duration).count();
  std::fprintf(stderr, "%llu bytes in %.3f s, %.1f MB/s\n", static_cast<unsigned long long>(bytes), seconds,
               static_cast<double>(bytes) / 1e6 / seconds);
}

std::string target_of(const GetArguments& arguments, const Url& url) {
  return arguments.remote_name ? file_name_of(url) : arguments.output;
}

/// How much of what is written is still to come, if that is known.
std::optional<std::uint64_t> announced_bytes(const ResponseBase& response, const GetArguments& arguments) {
  auto field = response.headers().first("content-length");
  bool decoded = arguments.compressed && response.headers().contains("content-encoding");
  std::uint64_t length = 0;
  if (!field || decoded) return std::nullopt;
  auto end = std::from_chars(field->data(), field->data() + field->size(), length).ptr;
  return end == field->data() ? std::nullopt : std::optional(length);
}

Task<void> copy(BodyIterator<Chunk>& body, Output& output) {
  while (auto chunk = co_await body.next()) output.write(chunk->view());
}

Task<StreamingResponse> exchange(AsyncClient& client, const Request& request, const GetArguments& arguments) {
  if (arguments.verbose) {
    describe_connection(arguments, request);
    show(head_of(request));
  }
  StreamingResponse response = co_await client.send_streaming(request);
  if (arguments.verbose) show(describe_tls(response) + heads_of(response, "< ", "\n"));
  co_return response;
}

/// The response to the request, or to that for the rest of the file.
Task<StreamingResponse> begin(AsyncClient& client, Request request, const GetArguments& arguments,
                              Resume* resume) {
  if (resume != nullptr) resume->apply(request);
  StreamingResponse response = co_await exchange(client, request, arguments);
  if (resume != nullptr && resume->is_refused(response)) {
    resume->start_anew();
    request.without_header("Range").without_header("If-Range");
    response = co_await exchange(client, request, arguments);
  }
  co_return response;
}

void check_status(const ResponseBase& response) {
  if (response.status() < 400) return;
  std::string line = "the server answered " + std::to_string(response.status());
  throw Failure(kHttpError, line.append(" ").append(response.reason()));
}

void check_coding(const ResponseBase& response) {
  std::string unknown = response.unknown_coding();
  if (!unknown.empty()) throw Failure(kBadCoding, "the body is compressed with '" + unknown + "'");
}

bool shows_progress(const GetArguments& arguments, const Output& output) {
  return !output.is_direct() && !arguments.silent && !arguments.no_progress && isatty(STDERR_FILENO) == 1;
}

/// Writes the response to where it belongs.
Task<void> deliver(StreamingResponse response, const GetArguments& arguments, Output& output,
                   const Resume* resume) {
  std::uint64_t before = resume != nullptr ? resume->size() : 0;
  if (arguments.include || arguments.head) output.write(heads_of(response, "", "\r\n"));
  auto body = arguments.compressed ? response.iter_bytes() : response.iter_raw();
  if (shows_progress(arguments, output)) {
    TransferProgress progress(output, before, announced_bytes(response, arguments));
    co_await when_any(copy(body, output), progress.run());
  } else {
    co_await copy(body, output);
  }
  if (resume != nullptr) resume->check_whole(before + output.bytes());
  output.finish();
}

Task<void> fetch(const GetArguments& arguments, BlockReader* input) {
  TimePoint start = Clock::now();
  ClientOptions options = client_options(arguments);
  AsyncClient client(options);
  Request request = make_request(client, arguments, input);
  std::string target = target_of(arguments, request.url());
  std::optional<Resume> resume;
  if (!arguments.continue_at.empty()) resume.emplace(target, std::string(request.url().str()));
  StreamingResponse response = co_await begin(client, request, arguments, resume ? &*resume : nullptr);

  bool complete = resume && resume->is_complete(response);
  if (arguments.fail && !complete) check_status(response);
  if (arguments.compressed) check_coding(response);
  std::unique_ptr<Output> output = resume           ? resume->open(response)
                                   : target.empty() ? std::make_unique<Output>()
                                                    : std::make_unique<Output>(target);
  if (complete)
    output->finish();
  else
    co_await deliver(std::move(response), arguments, *output, resume ? &*resume : nullptr);
  if (resume) resume->finished();
  if (!target.empty() && !arguments.silent) report_transfer(output->bytes(), Clock::now() - start);
}

Task<int> fetch_until_stopped(const GetArguments& arguments, BlockReader* input, Shard& shard,
                              StopSignal& stop) {
  Duration limit = arguments.max_time.empty() ? kNoTimeout : parse_duration(arguments.max_time);
  auto outcome = co_await when_any(with_timeout(limit, fetch(arguments, input)), stop.wait(shard));
  co_return outcome.index() == 0 ? kSuccess : kInterrupted;
}

}  // namespace

int get(const GetArguments& arguments) {
  check_arguments(arguments);
  StopSignal stop;
  Shard shard;
  std::optional<BlockReader> input;
  if (arguments.upload_file == "-") input.emplace(shard, "-");
  SignalThread signals([&stop] { stop.request(); });
  return shard.block_on(fetch_until_stopped(arguments, input ? &*input : nullptr, shard, stop));
}

}  // namespace sluice::command
