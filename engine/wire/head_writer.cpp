// SPDX-License-Identifier: MIT
#include "engine/wire/head_writer.hpp"

#include "engine/wire/grammar.hpp"

namespace sluice::wire {
namespace {

const char* field_fault(std::string_view name, std::string_view value) {
  const char* name_end = name.data() + name.size();
  if (name.empty()) return "empty header name";
  if (skip_token(name.data(), name_end) != name_end) return "illegal character in a header name";
  if (value.empty()) return nullptr;
  if (is_blank(value.front()) || is_blank(value.back())) return "blanks around a header value";
  const char* value_end = value.data() + value.size();
  if (skip_field_text(value.data(), value_end) != value_end) return "illegal character in a header value";
  return nullptr;
}

}  // namespace

const char* fields_fault(const Headers& headers, FramingFields& framing) {
  for (auto [name, value] : headers) {
    if (const char* fault = field_fault(name, value)) return fault;
    if (const char* fault = framing.note(name, value)) return fault;
  }
  if (framing.coding() != TransferCoding::none && framing.content_length())
    return "both Transfer-Encoding and Content-Length";
  return framing.plain_length() ? nullptr : "more than one Content-Length";
}

HeadWriter::HeadWriter(detail::String& out, std::size_t start_line_size, const Headers& headers)
    : headers_(headers) {
  const std::size_t before = out.size();
  out.resize(before + start_line_size + headers.lines().size() + kBlankLine.size());
  at_ = out.data() + before;
}

}  // namespace sluice::wire
