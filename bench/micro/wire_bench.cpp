// SPDX-License-Identifier: MIT
#include <span>
#include <string_view>

#include <benchmark/benchmark.h>

#include "engine/wire/request_writer.hpp"
#include "engine/wire/response_reader.hpp"
#include "engine/wire/response_writer.hpp"

namespace sluice::wire {
namespace {

// 231 bytes of head and a body of 128 bytes.
constexpr std::string_view kReply =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.24.0\r\n"
    "Date: Tue, 01 Jul 2025 10:00:00 GMT\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 128\r\n"
    "Connection: keep-alive\r\n"
    "ETag: \"6863b1a0-80\"\r\n"
    "Accept-Ranges: bytes\r\n"
    "Vary: Accept-Encoding\r\n"
    "\r\n"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

constexpr std::string_view kShortReply =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 128\r\n"
    "\r\n"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

constexpr std::string_view kChunkedReply =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Transfer-Encoding: chunked\r\n"
    "\r\n"
    "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    "0\r\n\r\n";

void read_replies(benchmark::State& state, std::string_view reply, std::size_t cut) {
  ResponseReader reader;
  ResponseHead head;
  for (auto _ : state) {
    reader.start(ReplyTo::request, head);
    std::span<const char> first(reply.data(), cut);
    std::span<const char> rest(reply.data() + cut, reply.size() - cut);
    while (reader.next(first) != ResponseReader::Event::need_more && !first.empty()) continue;
    ResponseReader::Event event;
    do {
      event = reader.next(rest);
      benchmark::DoNotOptimize(reader.body());
    } while (event != ResponseReader::Event::end && event != ResponseReader::Event::failed);
    if (event == ResponseReader::Event::failed) state.SkipWithError("the reply was refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(reply.size()));
}

void response_reader_typical(benchmark::State& state) {
  read_replies(state, kReply, 0);
}
void response_reader_short(benchmark::State& state) {
  read_replies(state, kShortReply, 0);
}
void response_reader_chunked(benchmark::State& state) {
  read_replies(state, kChunkedReply, 0);
}
void response_reader_head_in_two(benchmark::State& state) {
  read_replies(state, kReply, 100);
}
BENCHMARK(response_reader_typical);
BENCHMARK(response_reader_short);
BENCHMARK(response_reader_chunked);
BENCHMARK(response_reader_head_in_two);

Headers request_headers() {
  return {{"Host", "origin.example:8080"},
          {"User-Agent", "sluice/0.1"},
          {"Accept", "*/*"},
          {"Accept-Encoding", "gzip, deflate, br, zstd"},
          {"Connection", "keep-alive"}};
}

void request_writer(benchmark::State& state) {
  const Headers headers = request_headers();
  detail::String out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(check_request(Method::Get, "/a/path?with=query", headers).has_value());
    write_request_head(out, Method::Get, "/a/path?with=query", headers);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(request_writer);

void response_writer(benchmark::State& state) {
  const Headers headers = {{"Content-Type", "text/plain"}, {"Content-Length", "128"}, {"Server", "sluice"}};
  detail::String out;
  for (auto _ : state) {
    out.clear();
    write_response_head(out, 200, "OK", headers);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(response_writer);

}  // namespace
}  // namespace sluice::wire
