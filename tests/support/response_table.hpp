// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice::testing {

/// A row of tests/data/responses.json: what a server sends before it closes, and what is to be made of it.
struct TabledResponse {
  std::string id;
  std::string bytes;
  bool head_request = false;
  bool accept = false;
  bool body_known = false;
  std::string body;
};

inline std::string decode_base64(const std::string& text) {
  static const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned value = 0;
  int bits = 0;
  for (char c : text) {
    if (c == '=') break;
    value = (value << 6) | static_cast<unsigned>(kAlphabet.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>((value >> bits) & 0xFF);
  }
  return bytes;
}

inline std::vector<TabledResponse> tabled_responses() {
  // Of the rows without a verdict of their own, these are accepted; docs/wire.md says why.
  static const std::set<std::string> kAcceptedByPolicy = {"garden/60", "llhttp/connection/8",
                                                          "wpt/asis/COLON/in-name"};
  std::ifstream file(SLUICE_TEST_DATA_DIR "/responses.json");
  std::vector<TabledResponse> rows;
  for (const auto& json : nlohmann::json::parse(file)) {
    TabledResponse row;
    row.id = json["id"];
    row.bytes = decode_base64(json["b64"]);
    row.head_request = json["method"] == "HEAD";
    row.accept =
        json["want"] == "accept" || (json["want"] == "policy" && kAcceptedByPolicy.count(row.id) != 0);
    row.body_known = json["body_b64"].is_string();
    if (row.body_known) row.body = decode_base64(json["body_b64"]);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace sluice::testing
