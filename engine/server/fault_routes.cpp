// SPDX-License-Identifier: MIT
#include "engine/server/fault_routes.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <sluice/time.hpp>

#include "engine/wire/grammar.hpp"
#include "engine/wire/gzip.hpp"

namespace sluice::server {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::uint64_t kMostBytes = 1024 * 1024;
constexpr std::chrono::minutes kStall{1};
constexpr std::chrono::milliseconds kDrip{10};

std::optional<std::uint64_t> count_in(const Request& request) {
  std::optional<std::uint64_t> count = wire::parse_length(request.rest());
  return count && *count <= kMostBytes ? count : std::nullopt;
}

Task<void> close(Request&, Responder& responder) {
  responder.break_off();
  co_return;
}

Task<void> reset(Request&, Responder& responder) {
  responder.reset();
  co_return;
}

Task<void> answer_garbage(Request&, Responder& responder) {
  responder.break_off("this is no HTTP\r\n\r\n");
  co_return;
}

Task<void> truncate(Request& request, Responder& responder) {
  auto count = count_in(request);
  if (!count) co_return responder.answer(400);
  responder.begin(200, kText, *count + 1);
  co_await responder.send(std::string(*count, 'x'));
  responder.break_off();
}

Task<void> leave_unended(Request& request, Responder& responder) {
  auto count = count_in(request);
  if (!count) co_return responder.answer(400);
  responder.begin(200, kText);
  co_await responder.send(std::string(*count, 'x'));
  responder.break_off();
}

Task<void> cut_gzip(Request&, Responder& responder) {
  std::string coded = wire::gzip(std::string(1000, 'x'));
  responder.header("Content-Encoding", "gzip");
  responder.answer(200, kText, std::string_view(coded).substr(0, coded.size() / 2));
  co_return;
}

Task<void> stall(Request&, Responder& responder) {
  responder.begin(200, kText, 12);
  co_await responder.send("before");
  co_await sleep_for(kStall);
  co_await responder.send("behind");
}

Task<void> drip(Request& request, Responder& responder) {
  auto count = count_in(request);
  if (!count) co_return responder.answer(400);
  responder.begin(200, kText, *count);
  for (std::uint64_t i = 0; i < *count; ++i) {
    co_await responder.send("x");
    co_await sleep_for(kDrip);
  }
}

}  // namespace

void add_fault_routes(Server& server) {
  server.route("/fault/close", close);
  server.route("/fault/reset", reset);
  server.route("/fault/garbage", answer_garbage);
  server.route("/fault/truncate", truncate);
  server.route("/fault/unended", leave_unended);
  server.route("/fault/gzip", cut_gzip);
  server.route("/fault/stall", stall);
  server.route("/fault/slow", drip);
}

}  // namespace sluice::server
