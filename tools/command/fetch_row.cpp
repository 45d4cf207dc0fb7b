// SPDX-License-Identifier: MIT
#include "tools/command/fetch_row.hpp"

#include <chrono>
#include <cmath>
#include <utility>

#include "tools/command/text.hpp"

namespace sluice::command {
namespace {

using nlohmann::ordered_json;

constexpr const char* kMembers[] = {
    "id",         "url",     "status",      "reason",    "http_version",     "headers",
    "trailers",   "body",    "body_base64", "body_file", "bytes_downloaded", "decoded_bytes",
    "elapsed_ms", "history", "error"};

ordered_json fields_of(const Headers& headers) {
  ordered_json fields = ordered_json::array();
  for (Headers::Field field : headers) fields.push_back({to_utf8(field.name), to_utf8(field.value)});
  return fields;
}

void set_head(ordered_json& row, const ResponseBase& response) {
  row["url"] = response.url().str();
  row["status"] = response.status();
  row["reason"] = to_utf8(response.reason());
  row["http_version"] = response.http_version();
  row["headers"] = fields_of(response.headers());
}

}  // namespace

FetchRow::FetchRow(const FetchJob& job) {
  json_["id"] = job.id;
  if (!job.url.empty()) json_["url"] = to_utf8(job.url);
}

void FetchRow::set_response(const ResponseBase& response) {
  set_head(json_, response);
  json_["history"] = ordered_json::array();
  for (const Response& redirect : response.history()) {
    ordered_json entry;
    set_head(entry, redirect);
    json_["history"].push_back(std::move(entry));
  }
}

void FetchRow::set_transfer(const ResponseBase& response) {
  json_["trailers"] = fields_of(response.trailers());
  json_["bytes_downloaded"] = response.num_bytes_downloaded();
}

void FetchRow::set_body(std::string bytes) {
  if (is_utf8(bytes))
    json_["body"] = std::move(bytes);
  else
    json_["body_base64"] = to_base64(bytes);
}

void FetchRow::set_body_file(const std::string& path) {
  json_["body_file"] = to_utf8(path);
}

void FetchRow::set_decoded_bytes(std::uint64_t bytes) {
  json_["decoded_bytes"] = bytes;
}

void FetchRow::set_elapsed(Duration elapsed) {
  double microseconds = std::round(std::chrono::duration<double, std::micro>(elapsed).count());
  json_["elapsed_ms"] = microseconds / 1000;
}

void FetchRow::set_error(const Error& error) {
  set_error(to_string(error.kind()), to_string(error.phase()), error.facts().message);
}

void FetchRow::set_error(std::string_view type, std::string_view phase, std::string_view message) {
  json_["error"] = {{"type", type}, {"phase", phase}, {"message", to_utf8(message)}};
}

std::string FetchRow::finish() {
  ordered_json row;
  for (const char* member : kMembers) {
    if (auto place = json_.find(member); place != json_.end()) row[member] = std::move(*place);
  }
  return row.dump() + "\n";
}

}  // namespace sluice::command
