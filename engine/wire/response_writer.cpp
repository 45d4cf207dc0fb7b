// SPDX-License-Identifier: MIT
#include "engine/wire/response_writer.hpp"

#include <array>
#include <charconv>

#include "engine/wire/grammar.hpp"
#include "engine/wire/head_writer.hpp"

namespace sluice::wire {
namespace {

const char* status_line_fault(int status, std::string_view reason) {
  if (status < 100 || status > 999) return "the status is not three digits";
  const char* end = reason.data() + reason.size();
  return skip_field_text(reason.data(), end) == end ? nullptr : "illegal character in the reason";
}

}  // namespace

Result<void> check_response(int status, std::string_view reason, const Headers& headers) {
  FramingFields framing;
  const char* fault = status_line_fault(status, reason);
  if (fault == nullptr) fault = fields_fault(headers, framing);
  if (fault == nullptr) return {};
  return Error(ErrorKind::local_protocol_error, Phase::setup, fault);
}

void write_response_head(detail::String& out, int status, std::string_view reason, const Headers& headers) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  const std::array<char, 4> code = {static_cast<char>('0' + status / 100),
                                    static_cast<char>('0' + status / 10 % 10),
                                    static_cast<char>('0' + status % 10), ' '};
  HeadWriter writer(out, kVersion.size() + code.size() + reason.size() + 2, headers);
  writer.put(kVersion).put({code.data(), code.size()}).put(reason).put("\r\n");
  writer.put_fields();
}

void write_chunk_line(detail::String& out, std::uint64_t size) {
  std::array<char, 16> digits;
  char* end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  out.append(digits.data(), end).append("\r\n");
}

}  // namespace sluice::wire
