// SPDX-License-Identifier: MIT
#include "engine/wire/request_writer.hpp"

#include "engine/wire/grammar.hpp"
#include "engine/wire/head_writer.hpp"

namespace sluice::wire {
namespace {

const char* start_line_fault(std::string_view method, std::string_view target) {
  const char* method_end = method.data() + method.size();
  if (method.empty() || skip_token(method.data(), method_end) != method_end)
    return "the method is not a token";
  if (target.empty()) return "empty request target";
  const char* target_end = target.data() + target.size();
  if (skip_visible(target.data(), target_end) != target_end) return "illegal character in the request target";
  return nullptr;
}

}  // namespace

Result<FramingFields> check_request(const Method& method, std::string_view target, const Headers& headers) {
  FramingFields framing;
  const char* fault = start_line_fault(method.name(), target);
  if (fault == nullptr) fault = fields_fault(headers, framing);
  if (fault == nullptr && framing.hosts() > 1) fault = "more than one Host";
  if (fault == nullptr && framing.coding() == TransferCoding::unframed)
    fault = "a transfer coding without chunked";
  if (fault == nullptr) return framing;
  return Error(ErrorKind::local_protocol_error, Phase::setup, fault);
}

void write_request_head(detail::String& out, const Method& method, std::string_view target,
                        const Headers& headers) {
  constexpr std::string_view kVersion = " HTTP/1.1\r\n";
  HeadWriter writer(out, method.name().size() + 1 + target.size() + kVersion.size(), headers);
  writer.put(method.name()).put(" ").put(target).put(kVersion);
  writer.put_fields();
}

}  // namespace sluice::wire
