// SPDX-License-Identifier: MIT
#include "tools/command/get_request.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "tools/command/arguments.hpp"
#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

constexpr Duration kUsualConnectTimeout = std::chrono::seconds(10);

std::optional<std::string> form_of(const GetArguments& arguments) {
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
  if (!arguments.upload_file.empty()) return Method::Put;
  return arguments.data.empty() ? Method::Get : Method::Post;
}

bool is_file_name(std::string_view name) {
  auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), is_control);
}

/// What would end a path is escaped; the rest is for the URL to encode.
std::string escaped(std::string_view name) {
  std::string text;
  for (char c : name) {
    if (c == '?')
      text += "%3F";
    else if (c == '#')
      text += "%23";
    else if (c == '%')
      text += "%25";
    else
      text += c;
  }
  return text;
}

Generator<Chunk> chunks_of(BlockReader& input) {
  while (auto block = co_await input.next()) co_yield Chunk(std::string_view(*block));
  input.check();
}

/// A file that is not there is told before anything is sent.
const std::string& checked_file(const std::string& path) {
  std::error_code error;
  bool regular = std::filesystem::is_regular_file(path, error);
  if (regular && std::ifstream(path)) return path;
  throw Failure(kReadInput,
                "cannot read '" + path + "': " + (regular ? std::strerror(errno) : "it is no file"));
}

void refuse_if(bool wrong, const char* message) {
  if (wrong) throw Failure(kUsage, message);
}

}  // namespace

void check_arguments(const GetArguments& arguments) {
  bool uploads = !arguments.upload_file.empty();
  bool to_file = !arguments.output.empty() || arguments.remote_name;
  refuse_if(!arguments.output.empty() && arguments.remote_name, "-o and -O name two files");
  refuse_if(uploads && (!arguments.data.empty() || arguments.head), "-T goes with neither -d nor -I");
  if (arguments.continue_at.empty()) return;
  refuse_if(arguments.continue_at != "-", "-C takes '-': the place is where the file ends");
  refuse_if(!to_file, "-C needs a file to continue: -o or -O");
  refuse_if(uploads || !arguments.data.empty() || arguments.head || arguments.include || arguments.compressed,
            "-C goes with none of -T, -d, -I, -i and --compressed");
}

ClientOptions client_options(const GetArguments& arguments) {
  Timeout timeout = Timeout::all(kNoTimeout);  // as curl: patience has no end unless it is stated
  timeout.connect =
      arguments.connect_timeout.empty() ? kUsualConnectTimeout : parse_duration(arguments.connect_timeout);
  ClientOptions options;
  options.timeout(timeout).follow_redirects(arguments.location).max_redirects(arguments.max_redirects);
  options.tls(tls_context(arguments.tls));
  if (!arguments.unix_socket.empty()) options.unix_socket(arguments.unix_socket);
  return options;
}

std::string url_of(const GetArguments& arguments) {
  std::string url = complete_url(arguments.url);
  bool to_folder = url.ends_with('/') && !arguments.upload_file.empty() && arguments.upload_file != "-";
  return to_folder ? url + escaped(std::filesystem::path(arguments.upload_file).filename().string()) : url;
}

Request make_request(AsyncClient& client, const GetArguments& arguments, BlockReader* input) {
  Request request = client.build_request(method_of(arguments), url_of(arguments));
  if (auto form = form_of(arguments)) {
    request.header("Content-Type", "application/x-www-form-urlencoded");
    request.content(*form);
  }
  if (input != nullptr)
    request.body(chunks_of(*input));
  else if (!arguments.upload_file.empty())
    request.file(checked_file(arguments.upload_file));
  if (!arguments.compressed) request.without_header("Accept-Encoding");
  apply_headers(request, arguments.headers);
  return request;
}

std::string file_name_of(const Url& url) {
  std::string_view path = url.raw_path().substr(0, url.raw_path().find('?'));
  std::string name = Url("/" + std::string(path.substr(path.rfind('/') + 1))).path().substr(1);
  if (!is_file_name(name)) throw Failure(kUsage, "the URL names no file: say -o FILE instead of -O");
  return name;
}

}  // namespace sluice::command
