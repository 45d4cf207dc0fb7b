// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <llhttp.h>

#include <sluice/headers.hpp>

#include "engine/wire/grammar.hpp"

namespace sluice::fuzz {

/// Aborts unless llhttp, which the engine shows only the fields that it interprets, finds the very same
/// fields in the lines of them all.
inline void check_llhttp_agrees(const Headers& headers) {
  struct Found {
    std::vector<std::string> names;
    std::vector<std::string> values;
  } found;
  llhttp_settings_t settings{};
  settings.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) {
    auto& fields = *static_cast<Found*>(parser->data);
    fields.names.emplace_back(at, size);
    fields.values.emplace_back();
    return 0;
  };
  settings.on_header_value = [](llhttp_t* parser, const char* at, std::size_t size) {
    static_cast<Found*>(parser->data)->values.back().append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](llhttp_t*) -> int { return HPE_PAUSED; };
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = &found;
  llhttp_set_lenient_chunked_length(&parser, 1);
  llhttp_set_lenient_transfer_encoding(&parser, 1);
  const std::string head = "HTTP/1.1 200 OK\r\n" + std::string(headers.lines()) + "\r\n";
  if (llhttp_execute(&parser, head.data(), head.size()) != HPE_PAUSED) std::abort();
  if (found.names.size() != headers.size()) std::abort();
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const bool same_name = found.names[i] == headers[i].name;
    if (!same_name || wire::trim_blanks(found.values[i]) != headers[i].value) std::abort();
  }
}

}  // namespace sluice::fuzz
