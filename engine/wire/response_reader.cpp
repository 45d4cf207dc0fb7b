// SPDX-License-Identifier: MIT
#include "engine/wire/response_reader.hpp"

#include <string>

namespace sluice::wire {

void ResponseReader::start(ReplyTo reply_to, ResponseHead& head) {
  start_message();
  head_ = &head;
  reply_to_ = reply_to;
  informational_ = 0;
}

ResponseReader::Event ResponseReader::next(std::span<const char>& input) {
  if (!in_head()) return next_of_body(input);
  std::optional<Block> block = collect_head(input);
  return block ? accept_head(*block) : stalled();
}

ResponseReader::Event ResponseReader::accept_head(const Block& block) {
  const HeadFacts& facts = head_facts();
  take_fields(block, head_->headers);
  ParseFault fault = parse_head(block.text(), facts, *head_);
  if (fault.reason != nullptr)
    return fail(std::string("malformed response head: ") + fault.reason, fault.code);

  const bool switches = facts.status == 101;
  if (switches && reply_to_ != ReplyTo::upgrade)
    return fail("101 Switching Protocols, which was not asked for");
  if (facts.status < 200 && !switches) {
    if (++informational_ > limits_.max_informational_responses)
      return fail("too many informational responses");
    expect_head();
    return Event::informational;
  }
  const bool coded = facts.framing.coding() != TransferCoding::none;
  // Both framings, or a coding that HTTP/1.0 does not know: someone on the path may see another end than we
  // do.
  const bool doubtful = coded && (facts.version_minor == 0 || facts.framing.content_length().has_value());
  const bool tunnel = switches || (reply_to_ == ReplyTo::connect && facts.status / 100 == 2);
  start_body(tunnel ? Framing::none : framing_of(facts), facts.wants_keep_alive() && !doubtful && !tunnel);
  return Event::head;
}

// RFC 9112, 6.3
ResponseReader::Framing ResponseReader::framing_of(const HeadFacts& facts) const {
  if (reply_to_ == ReplyTo::head || facts.status == 204 || facts.status == 304) return Framing::none;
  if (facts.framing.coding() == TransferCoding::chunked) return Framing::chunked;
  if (facts.framing.coding() == TransferCoding::unframed) return Framing::until_close;
  return facts.framing.content_length() ? Framing::counted : Framing::until_close;
}

}  // namespace sluice::wire
