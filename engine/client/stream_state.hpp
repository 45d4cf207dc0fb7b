// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/error.hpp>
#include <sluice/options.hpp>
#include <sluice/request.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>

#include "engine/client/content_buffer.hpp"
#include "engine/client/response_state.hpp"
#include "engine/http/exchange.hpp"

namespace sluice::detail {

class ClientCore;

/// What became of asking for the next piece of a body.
enum class Step : std::uint8_t {
  piece,
  need_more,  ///< nothing more has arrived
  end,
  failed,  ///< see StreamState::error()
};

/// What stands behind a StreamingResponse: the response so far, the exchange that brings the rest, and what
/// it has brought that nobody has taken yet. Functions that wait are static and hold the state alive.
class StreamState {
 public:
  using Pointer = std::shared_ptr<StreamState>;

  StreamState(std::shared_ptr<ClientCore> core, Request request, http::Exchange exchange,
              std::shared_ptr<const DefaultEncoding> default_encoding, const ReceiveLimits& limits,
              const Drain& drain);

  /// Sends the request and reads the response's head.
  static Task<Result<void>> open(Pointer self);

  /// Says that somebody begins to read the body; an error if that may not be (again).
  std::optional<Error> claim();
  /// The next bytes of the body as they came, if any have arrived. A body that is complete ends before its
  /// end is asked for, so that the connection is not held for the asking.
  Step pull(ring::Lease& piece);
  /// Waits for more to arrive.
  net::Socket::ReadAwaiter read_more() { return exchange_.read(); }
  void supply(net::ReadOutcome outcome);
  /// Ends the response as failed for what the caller found in its body.
  Step fail(const ContentFault& fault);

  static Task<Result<std::string_view>> read(Pointer self);
  static Task<Result<void>> discard(Pointer self);
  static Task<void> close(Pointer self);
  /// The same at once: what is left is not drained.
  void close_now();

  ResponseState& response() noexcept { return response_; }
  const Request& request() const noexcept { return request_; }
  /// Bytes of the body that are still to come, if that is known.
  std::optional<std::uint64_t> bytes_left() const;
  const ReceiveLimits& limits() const noexcept { return limits_; }
  /// After Step::failed.
  Error error() const { return error_ ? *error_ : abandonment(); }
  bool closed() const noexcept { return ended_ || error_; }
  /// The caller has closed the response: what he has not read is not to be had any more, even where it had
  /// arrived.
  bool abandoned() const noexcept { return abandoned_ && !response_.content_read; }
  static Error abandonment();
  bool consumed() const noexcept { return consumed_; }

 private:
  using Event = http::Exchange::Event;

  Event poll();
  void advance();
  void throw_away();
  void end_with(Error error);
  bool worth_draining() const;
  static Task<void> drain(Pointer self);

  std::shared_ptr<ClientCore> core_;
  Request request_;
  ReceiveLimits limits_;
  Drain drain_;
  ResponseState response_;
  http::Exchange exchange_;
  TimePoint start_;
  ring::Lease next_;
  std::optional<Error> error_;
  bool ended_ = false;      // the body came to its end
  bool consumed_ = false;   // somebody began to read it
  bool abandoned_ = false;  // the caller closed the response
};

}  // namespace sluice::detail
