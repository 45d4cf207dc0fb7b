// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "engine/wire/message_reader.hpp"

namespace sluice::wire {

/// Reads the requests of one connection, one after the other: the server's side. Stricter than ResponseReader
/// where a doubt about the end of a request would let a second one be smuggled in (RFC 9112, 11.2).
class RequestReader : public MessageReader {
 public:
  explicit RequestReader(const ReaderLimits& limits = {}) : MessageReader(HeadCheck::Kind::request, limits) {}

  /// Begins a new request; `head` must outlive it.
  void start(RequestHead& head);
  /// Consumes a prefix of `input` and says what it found; never `informational`.
  Event next(std::span<const char>& input);

 private:
  Event accept_head(const Block& block);

  RequestHead* head_ = nullptr;
};

}  // namespace sluice::wire
