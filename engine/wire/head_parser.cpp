// SPDX-License-Identifier: MIT
#include "engine/wire/head_parser.hpp"

#include <llhttp.h>

namespace sluice::wire {
namespace {

/// What llhttp's callbacks fill in. The start line is parsed in one call, so each span arrives in one piece.
struct StartLine {
  std::string_view text = {};  // the reason of a response, the target of a request
  std::string_view method = {};
};

StartLine& start_line_of(llhttp_t* parser) {
  return *static_cast<StartLine*>(parser->data);
}

int on_text(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  start_line_of(parser).text = {at, size};
  return 0;
}

int on_method(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  start_line_of(parser).method = {at, size};
  return 0;
}

int on_head_complete(llhttp_t*) noexcept {
  return HPE_PAUSED;
}

constexpr llhttp_settings_t make_settings() {
  llhttp_settings_t settings{};
  settings.on_method = on_method;
  settings.on_url = on_text;
  settings.on_status = on_text;
  settings.on_headers_complete = on_head_complete;
  return settings;
}

constexpr llhttp_settings_t kSettings = make_settings();

/// Whether llhttp draws conclusions from the field; it merely steps over any other.
bool is_interpreted(std::string_view name) {
  switch (name.size()) {  // tells them apart, so that other fields cost next to nothing
    case 7:
      return is_word(name, "upgrade");
    case 10:
      return is_word(name, "connection");
    case 14:
      return is_word(name, "content-length");
    case 16:
      return is_word(name, "proxy-connection");
    case 17:
      return is_word(name, "transfer-encoding");
    default:
      return false;
  }
}

/// Calls execute(line) for each field line that llhttp interprets, until it does not return HPE_OK.
template <class Execute>
llhttp_errno_t for_each_interpreted(const Headers& headers, Execute execute) {
  const std::string_view lines = headers.lines();
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const char* begin = headers[i].name.data();
    if (!is_interpreted(headers[i].name)) continue;
    const char* end = i + 1 < headers.size() ? headers[i + 1].name.data() : lines.data() + lines.size();
    if (llhttp_errno_t code = execute({begin, end}); code != HPE_OK) return code;
  }
  return HPE_OK;
}

ParseFault parse(llhttp_type_t type, std::string_view block, const Headers& headers, StartLine& start_line) {
  llhttp_t parser;
  llhttp_init(&parser, type, &kSettings);
  parser.data = &start_line;
  // Framing is HeadCheck's decision, by stricter rules.
  llhttp_set_lenient_chunked_length(&parser, 1);
  llhttp_set_lenient_transfer_encoding(&parser, 1);
  auto execute = [&parser](std::string_view text) {
    return llhttp_execute(&parser, text.data(), text.size());
  };
  llhttp_errno_t code = execute(block.substr(0, block.find('\n') + 1));
  if (code == HPE_OK) code = for_each_interpreted(headers, execute);
  if (code == HPE_OK) code = execute("\r\n");
  if (code == HPE_PAUSED) return {};
  if (code == HPE_OK) return {"the head does not end where it should", ""};
  return {llhttp_get_error_reason(&parser), llhttp_errno_name(code)};
}

}  // namespace

ParseFault parse_head(std::string_view block, const HeadFacts& facts, ResponseHead& head) {
  StartLine start_line;
  ParseFault fault = parse(HTTP_RESPONSE, block, head.headers, start_line);
  head.status = facts.status;
  head.version_minor = facts.version_minor;
  head.reason.assign(start_line.text);
  return fault;
}

ParseFault parse_head(std::string_view block, const HeadFacts& facts, RequestHead& head) {
  StartLine start_line;
  ParseFault fault = parse(HTTP_REQUEST, block, head.headers, start_line);
  head.method = Method(start_line.method);
  head.version_minor = facts.version_minor;
  head.target.assign(start_line.text);
  return fault;
}

}  // namespace sluice::wire
