// SPDX-License-Identifier: MIT
#include "engine/wire/head_parser.hpp"

#include <llhttp.h>

namespace sluice::wire {

/// Fills Headers with the fields of a head: the lines are copied in one piece, the fields refer to them.
class FieldFiller {
 public:
  /// `lines` is the block without start line and blank line. Makes room for all its fields.
  FieldFiller(Headers& headers, std::string_view lines, std::size_t fields)
      : lines_(lines.data()), headers_(headers) {
    headers_.index_.clear();
    headers_.index_.reserve(fields);
    headers_.lines_.assign(lines);
  }

  /// Both are part of the lines.
  void add(std::string_view name, std::string_view value) noexcept {
    headers_.index_.push_back({offset(name), size(name), offset(value), size(value)});
  }
  void abandon() noexcept { headers_.clear(); }

 private:
  std::uint32_t offset(std::string_view text) const {
    return static_cast<std::uint32_t>(text.data() - lines_);
  }
  static std::uint32_t size(std::string_view text) { return static_cast<std::uint32_t>(text.size()); }

  const char* lines_;
  Headers& headers_;
};

namespace {

/// What llhttp's callbacks fill in. The block is parsed in one call, so each span arrives in one piece.
struct Sink {
  FieldFiller fields;
  std::string_view start_line_text = {};  // the reason of a response, the target of a request
  std::string_view method = {};
  std::string_view name = {};
  std::string_view value = {};
};

Sink& sink_of(llhttp_t* parser) {
  return *static_cast<Sink*>(parser->data);
}

// No callback throws, for llhttp is C.
int on_start_line_text(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  sink_of(parser).start_line_text = {at, size};
  return 0;
}

int on_method(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  sink_of(parser).method = {at, size};
  return 0;
}

int on_name(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  sink_of(parser).name = {at, size};
  sink_of(parser).value = {at + size, 0};
  return 0;
}

int on_value(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  sink_of(parser).value = {at, size};
  return 0;
}

int on_field_complete(llhttp_t* parser) noexcept {
  Sink& sink = sink_of(parser);
  sink.fields.add(sink.name, trim_blanks(sink.value));
  return 0;
}

int on_head_complete(llhttp_t*) noexcept {
  return HPE_PAUSED;
}

constexpr llhttp_settings_t make_settings() {
  llhttp_settings_t settings{};
  settings.on_method = on_method;
  settings.on_url = on_start_line_text;
  settings.on_status = on_start_line_text;
  settings.on_header_field = on_name;
  settings.on_header_value = on_value;
  settings.on_header_value_complete = on_field_complete;
  settings.on_headers_complete = on_head_complete;
  return settings;
}

constexpr llhttp_settings_t kSettings = make_settings();

/// The lines of the fields, without start line and blank line.
std::string_view field_lines(std::string_view block) {
  constexpr std::size_t kBlankLine = 2;
  const std::size_t begin = block.find('\n') + 1;
  return block.substr(begin, block.size() - begin - kBlankLine);
}

ParseFault parse(llhttp_type_t type, std::string_view block, Sink& sink) {
  llhttp_t parser;
  llhttp_init(&parser, type, &kSettings);
  parser.data = &sink;
  // Framing is HeadCheck's decision, by stricter rules.
  llhttp_set_lenient_chunked_length(&parser, 1);
  llhttp_set_lenient_transfer_encoding(&parser, 1);
  llhttp_errno_t code = llhttp_execute(&parser, block.data(), block.size());
  if (code == HPE_PAUSED) return {};
  sink.fields.abandon();
  if (code == HPE_OK) return {"the head does not end where it should", ""};
  return {llhttp_get_error_reason(&parser), llhttp_errno_name(code)};
}

}  // namespace

ParseFault parse_head(std::string_view block, const HeadFacts& facts, ResponseHead& head) {
  detail::String plain;
  if (!facts.framing.plain_length())
    block = plain = with_plain_length(block, *facts.framing.content_length());
  Sink sink{FieldFiller(head.headers, field_lines(block), facts.fields)};
  ParseFault fault = parse(HTTP_RESPONSE, block, sink);
  head.status = facts.status;
  head.version_minor = facts.version_minor;
  head.reason.assign(sink.start_line_text);
  return fault;
}

ParseFault parse_head(std::string_view block, const HeadFacts& facts, RequestHead& head) {
  detail::String plain;
  if (!facts.framing.plain_length())
    block = plain = with_plain_length(block, *facts.framing.content_length());
  Sink sink{FieldFiller(head.headers, field_lines(block), facts.fields)};
  ParseFault fault = parse(HTTP_REQUEST, block, sink);
  head.method = Method(sink.method);
  head.version_minor = facts.version_minor;
  head.target.assign(sink.start_line_text);
  return fault;
}

}  // namespace sluice::wire
