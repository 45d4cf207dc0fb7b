// SPDX-License-Identifier: MIT
#include "engine/client/response_state.hpp"

#include "engine/wire/text_decoder.hpp"

namespace sluice::detail {

std::string ResponseState::encoding() const {
  if (!chosen_encoding.empty()) return chosen_encoding;
  auto content_type = head.headers.first("content-type");
  auto named = content_type ? wire::charset_of(*content_type) : std::nullopt;
  if (named && wire::Charset::find(*named)) return *std::move(named);
  std::string fallback;
  if (default_encoding != nullptr) {
    bool detects = default_encoding->detect != nullptr;
    if (!detects) fallback = default_encoding->name;
    if (detects && content_read) fallback = default_encoding->detect(content);
  }
  return wire::Charset::find(fallback) ? fallback : "utf-8";
}

std::string ResponseState::text() const {
  return wire::decode_text(charset(), content);
}

}  // namespace sluice::detail
