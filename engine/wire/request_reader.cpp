// SPDX-License-Identifier: MIT
#include "engine/wire/request_reader.hpp"

#include <string>

namespace sluice::wire {
namespace {

/// Why a server must not trust the framing or the routing of a request (RFC 9112, 3.2 and 6.3), or nullptr.
const char* request_fault(const HeadFacts& facts) {
  if (facts.framing.hosts() > 1) return "more than one Host field";
  if (facts.framing.hosts() == 0 && facts.version_minor == 1) return "no Host field";
  if (facts.framing.coding() == TransferCoding::none) return nullptr;
  if (facts.framing.coding() != TransferCoding::chunked) return "the last transfer coding is not chunked";
  if (facts.framing.content_length()) return "both Transfer-Encoding and Content-Length";
  if (facts.version_minor == 0) return "Transfer-Encoding in HTTP/1.0";
  return nullptr;
}

}  // namespace

void RequestReader::start(RequestHead& head) {
  start_message();
  head_ = &head;
}

RequestReader::Event RequestReader::next(std::span<const char>& input) {
  if (!in_head()) return next_of_body(input);
  std::optional<Block> block = collect_head(input);
  return block ? accept_head(*block) : stalled();
}

RequestReader::Event RequestReader::accept_head(const Block& block) {
  const HeadFacts& facts = head_facts();
  if (const char* fault = request_fault(facts)) return fail(std::string("malformed request head: ") + fault);
  take_fields(block, head_->headers);
  ParseFault fault = parse_head(block.text(), facts, *head_);
  if (fault.reason != nullptr)
    return fail(std::string("malformed request head: ") + fault.reason, fault.code);
  Framing framing = Framing::none;
  if (facts.framing.coding() == TransferCoding::chunked) framing = Framing::chunked;
  if (facts.framing.content_length()) framing = Framing::counted;
  start_body(framing, facts.wants_keep_alive());
  return Event::head;
}

}  // namespace sluice::wire
