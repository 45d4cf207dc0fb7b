// SPDX-License-Identifier: MIT
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "tools/command/failure.hpp"
#include "tools/command/fetch.hpp"
#include "tools/command/get.hpp"
#include "tools/command/load.hpp"
#include "tools/command/serve.hpp"
#include "tools/command/stop.hpp"

namespace {

using namespace sluice::command;

void add_tls(CLI::App& command, TlsArguments& arguments) {
  command.add_option("--cacert", arguments.ca_file,
                     "Trust the authorities in this PEM file, and not the system's");
  command.add_option("--cert", arguments.certificate,
                     "The client's certificate, a PEM file; the key may stand in it, too");
  command.add_option("--key", arguments.key, "The private key of the client's certificate, a PEM file");
  command.add_flag("-k,--insecure", arguments.insecure, "Believe any certificate");
  command.add_option("--tls-min", arguments.minimum_version,
                     "The lowest version of TLS: 1.0 to 1.3 (default: 1.2)");
  command.add_option("--tls-max", arguments.maximum_version, "The highest version of TLS");
  command.add_option("--ciphers", arguments.ciphers, "OpenSSL's names of ciphers, with ':' between them");
  command.add_option("--sni", arguments.server_name,
                     "Ask for, and verify, this server name instead of the URL's");
  command.add_option("--pinned-pubkey", arguments.pins,
                     "The server must have this public key: sha256//BASE64, several with ';' between them");
}

void add_get(CLI::App& app, GetArguments& arguments) {
  CLI::App& get =
      *app.add_subcommand("get", "Makes one request, as curl does, and writes the body to standard output");
  get.add_option("URL", arguments.url, "What to request; http:// may be left out")->required();
  get.add_option("-X,--request", arguments.method, "The method (default: GET, or POST with --data)");
  get.add_option("-H,--header", arguments.headers,
                 "A field, 'Name: value'; 'Name:' removes a default, 'Name;' sends it empty (repeatable)")
      ->allow_extra_args(false);
  get.add_option("-d,--data", arguments.data,
                 "The body, as a form; @FILE takes it from a file as it is, @- from standard input; several "
                 "are joined "
                 "with &")
      ->allow_extra_args(false);
  get.add_option(
      "-T,--upload-file", arguments.upload_file,
      "Send a file, with PUT; -: standard input, in chunks. A URL that ends in / gets the file's name");
  get.add_flag("-i,--include", arguments.include, "Write the response head before the body");
  get.add_flag("-I,--head", arguments.head, "Request the head only, and write it");
  get.add_option("-o,--output", arguments.output, "Write to a file, which appears once it is whole");
  get.add_flag("-O,--remote-name", arguments.remote_name,
               "The same, under the last name in the URL's path, in this folder");
  get.add_option(
      "-C,--continue-at", arguments.continue_at,
      "With '-': keep what has come in FILE.part when the transfer ends early, and fetch only the rest "
      "next time, if the server still has the same version (FILE.part.info says which)");
  get.add_flag(
      "--compressed", arguments.compressed,
      "Ask for a compressed body and write it decompressed (default: ask for none, and write the body as "
      "it is sent)");
  get.add_flag("-L,--location", arguments.location, "Follow redirects");
  get.add_option("--max-redirs", arguments.max_redirects, "Follow so many")->capture_default_str();
  get.add_flag("-v,--verbose", arguments.verbose,
               "Show the request, the response head and what TLS has negotiated on standard error");
  get.add_option("-m,--max-time", arguments.max_time,
                 "Time for everything, such as 2, 500ms or 1m (default: no limit)");
  get.add_option("--connect-timeout", arguments.connect_timeout, "Time for connecting (default: 10s)");
  get.add_option("--unix-socket", arguments.unix_socket,
                 "Connect to this unix socket (@NAME: an abstract one)");
  get.add_flag("-s,--silent", arguments.silent, "Show no error, no progress and no transfer line");
  get.add_flag("--no-progress", arguments.no_progress,
               "Show no progress (it is shown on a terminal while a file is written)");
  get.add_flag("-f,--fail", arguments.fail, "Fail, and write no body, when the status is 400 or above");
  add_tls(get, arguments.tls);
  get.footer(kExitCodesHelp);
}

void add_serve(CLI::App& app, ServeArguments& arguments) {
  CLI::App& serve = *app.add_subcommand("serve", "Serves a few routes to try things out with, until ^C");
  serve.add_option("--host", arguments.host, "The IP address to listen on")->capture_default_str();
  serve.add_option("--port", arguments.port, "The port; 0: any that is free")->capture_default_str();
  serve.add_option("--shards", arguments.shards, "Threads, each with its own ring")
      ->check(CLI::Range(1U, 1024U))
      ->capture_default_str();
  serve.add_option("--unix-socket", arguments.unix_socket,
                   "Listen on this unix socket instead (@NAME: an abstract one)");
  serve.footer(
      "Routes: /  /status/CODE  /bytes/N  /delay/MS  /echo  /chunked/N  /headers  /gzip/N  /redirect/N\n"
      "Routes that misbehave: /fault/close  /fault/reset  /fault/garbage  /fault/truncate/N  "
      "/fault/unended/N\n"
      "                       /fault/gzip  /fault/stall (for a minute)  /fault/slow/N (a byte every 10 ms)");
}

void add_load(CLI::App& app, LoadArguments& arguments) {
  CLI::App& load = *app.add_subcommand("load", "Sends many requests and reports what came of them");
  load.add_option("URL", arguments.url, "What to request; http:// may be left out")->required();
  load.add_option("-c,--connections", arguments.connections, "Connections, spread over the shards")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  load.add_option("-d,--duration", arguments.duration,
                  "How long, such as 500ms, 10s or 2m (default: 10s, or no limit with -n)");
  load.add_option("-n,--requests", arguments.requests, "Stop after exactly so many requests")
      ->check(CLI::Range(std::uint64_t{1}, ~std::uint64_t{0}));
  load.add_option("-s,--shards", arguments.shards, "Threads, each with its own ring")
      ->check(CLI::Range(1U, 1024U))
      ->capture_default_str();
  load.add_option(
          "-r,--rate", arguments.rate,
          "Requests a second over all connections, started by the clock whatever becomes of earlier ones; "
          "the "
          "latency of each counts from when it should have started, so a server that stalls cannot hide it "
          "(default: each connection sends the next request once it has its answer)")
      ->check(CLI::Range(1e-3, 1e9));
  load.add_option("-m,--method", arguments.method, "The method (default: GET, or POST with --body)");
  load.add_option("-H,--header", arguments.headers, "A field, 'Name: value' (repeatable)")
      ->allow_extra_args(false);
  load.add_option("-b,--body", arguments.body, "The body of each request; @FILE takes it from a file");
  load.add_option("--timeout", arguments.timeout, "Time for each phase of a request")->capture_default_str();
  load.add_option("--unix-socket", arguments.unix_socket,
                  "Connect to this unix socket (@NAME: an abstract one)");
  add_tls(load, arguments.tls);
  load.add_flag("--keep", arguments.keep,
                "Hold each body in memory until it is whole (default: throw it away as it comes)");
  load.add_flag("--decode", arguments.decode,
                "Ask for compressed bodies, and undo the compression; with --keep");
  load.add_flag("--json", arguments.json, "Report as one JSON object");
  load.footer(
      "With -n and -d, whichever is reached first ends the load; so does ^C. Requests in flight at that time "
      "are "
      "given up and reported as unfinished.\nThe exit code is 0 when any request was answered.");
}

const char* const kFetchHelp =
    "A line of the list is a URL, or a request as JSON; only \"url\" must be there:\n"
    "  {\"id\": 1, \"method\": \"PUT\", \"url\": \"http://...\", \"headers\": [[\"Name\", \"value\"]],\n"
    "   \"body\": \"text\" | \"body_base64\": \"...\" | \"body_file\": \"path\",\n"
    "   \"timeout\": 2.5, \"follow_redirects\": true}\n"
    "Each line gets one line of JSON on standard output, in the order in which they are done:\n"
    "  {\"id\", \"url\", \"status\", \"reason\", \"http_version\", \"headers\", \"trailers\",\n"
    "   \"body\" (text) | \"body_base64\" (what is no UTF-8) | \"body_file\",\n"
    "   \"bytes_downloaded\", \"decoded_bytes\", \"elapsed_ms\", \"history\": [the redirects before],\n"
    "   \"error\": {\"type\", \"phase\", \"message\"}}\n"
    "What there is not has no member; \"id\" is the number of the line unless it is stated. A line that is "
    "wrong\n"
    "gets a row with an error, too.\n"
    "The exit code is 0 when every line has its row, 23 when the rows cannot be written, 26 when the list "
    "cannot\n"
    "be read, 130 after ^C; the rows that were done by then are written.";

void add_fetch(CLI::App& app, FetchArguments& arguments) {
  const std::map<std::string, BodyMode> modes = {
      {"inline", BodyMode::inline_}, {"file", BodyMode::file}, {"discard", BodyMode::discard}};
  CLI::App& fetch = *app.add_subcommand("fetch", "Makes the requests of a list, many at a time");
  fetch.add_option("FILE", arguments.input, "The list, a request on each line; -: standard input")
      ->capture_default_str();
  fetch.add_option("-c,--concurrency", arguments.concurrency, "Requests under way at the same time")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  fetch
      .add_option("--per-host", arguments.per_host,
                  "The same for one host and port; other hosts do not wait for it")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  fetch.add_option("-r,--rate", arguments.rate, "Requests begun in a second, at most")
      ->check(CLI::Range(1e-3, 1e9));
  fetch
      .add_option("--timeout", arguments.timeout,
                  "Time for each phase of a request: connecting, each wait for bytes")
      ->capture_default_str();
  fetch.add_option("-m,--max-time", arguments.max_time, "Time for all of a request (default: no limit)");
  fetch.add_option("-H,--header", arguments.headers, "A field of every request, 'Name: value' (repeatable)")
      ->allow_extra_args(false);
  fetch.add_option("--body", arguments.body, "Where bodies go: inline (into their rows), file, discard")
      ->transform(CLI::CheckedTransformer(modes).description("{inline,file,discard}"))
      ->type_name("MODE")
      ->default_str("inline");
  fetch.add_option("--output-dir", arguments.output_dir,
                   "The folder for --body file; N.body is that of line N");
  fetch.add_flag("--raw", arguments.raw, "Keep bodies as they were sent, without undoing Content-Encoding");
  fetch
      .add_option("--max-body", arguments.max_body,
                  "A larger body is an error; such as 100000, 64k or 10M (default: 8M inline, else no limit)")
      ->transform(CLI::AsSizeValue(false));
  fetch.add_flag("-L,--location", arguments.location, "Follow redirects, unless a line says otherwise");
  fetch.add_option("--max-redirs", arguments.max_redirects, "Follow so many for a request")
      ->capture_default_str();
  fetch.add_option("--unix-socket", arguments.unix_socket,
                   "Connect to this unix socket (@NAME: an abstract one)");
  add_tls(fetch, arguments.tls);
  fetch.add_flag("--progress", arguments.progress,
                 "Tell how far it is, also when standard error is no terminal");
  fetch.footer(kFetchHelp);
}

/// One line, whatever a message looks like.
int report(ExitCode code, const std::string& message, bool silent) {
  if (!silent) std::fprintf(stderr, "sluice: %s\n", message.substr(0, message.find('\n')).c_str());
  return code;
}

int run(int argc, char** argv) {
  GetArguments get_arguments;
  ServeArguments serve_arguments;
  LoadArguments load_arguments;
  FetchArguments fetch_arguments;
  CLI::App app("An HTTP client engine native to io_uring, as a command", "sluice");
  app.set_version_flag("--version", "sluice " SLUICE_VERSION);
  app.require_subcommand(1);
  add_get(app, get_arguments);
  add_serve(app, serve_arguments);
  add_load(app, load_arguments);
  add_fetch(app, fetch_arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    return report(kUsage, std::string(error.what()) + " (see sluice --help)", false);
  }
  try {
    if (app.got_subcommand("get")) return get(get_arguments);
    if (app.got_subcommand("serve")) return serve(serve_arguments);
    if (app.got_subcommand("fetch")) return fetch(fetch_arguments);
    return load(load_arguments);
  } catch (const Failure& failure) {
    return report(failure.code(), failure.what(), get_arguments.silent);
  } catch (const sluice::Error& error) {
    return report(exit_code_of(error), error.what(), get_arguments.silent);
  } catch (const std::exception& error) {
    return report(kOther, error.what(), get_arguments.silent);
  }
}

}  // namespace

/// Descriptors 0 to 2 that are closed would become our files and sockets. Reading from such a one ends at
/// once, writing to it fails.
void occupy_standard_descriptors() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  block_signals();
  return run(argc, argv);
}
