// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "engine/wire/message_reader.hpp"

namespace sluice::wire {

/// The request that a response answers, as far as it decides where the response ends (RFC 9112, 6.3).
enum class ReplyTo : std::uint8_t {
  request,
  head,     ///< HEAD: no body whatever the fields say
  connect,  ///< CONNECT: a 2xx has no body, and the bytes after its `end` belong to the tunnel
  upgrade,  ///< a request with Upgrade: 101 is a final response, the bytes after its `end` are the new
            ///< protocol's
};

/// Reads the responses of one connection, one after the other. Strict; docs/wire.md has the rules.
class ResponseReader : public MessageReader {
 public:
  explicit ResponseReader(const ReaderLimits& limits = {})
      : MessageReader(HeadCheck::Kind::response, limits) {}

  /// Begins a new response; `head` must outlive it.
  void start(ReplyTo reply_to, ResponseHead& head);
  /// Consumes a prefix of `input` and says what it found. After need_more, come again with more input.
  Event next(std::span<const char>& input);

 private:
  Event accept_head(const Block& block);
  Framing framing_of(const HeadFacts& facts) const;

  ResponseHead* head_ = nullptr;
  ReplyTo reply_to_ = ReplyTo::request;
  std::uint32_t informational_ = 0;
};

}  // namespace sluice::wire
