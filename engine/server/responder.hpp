// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/headers.hpp>
#include <sluice/task.hpp>

#include "engine/net/socket.hpp"

namespace sluice::server {

/// How a handler answers: once, with answer(), or with begin() and any number of send(). It takes care of the
/// framing: Content-Length, chunks, HEAD, HTTP/1.0, keep-alive.
///
/// When the client is gone the handler is cancelled where it waits; what it sends before that is dropped.
class Responder {
 public:
  /// `client_gone` is made ready when a handler waits for a client that is gone: its owner cancels the
  /// handler.
  Responder(net::Socket& socket, Duration write_timeout, detail::ReadyNode& client_gone) noexcept
      : socket_(&socket), write_timeout_(write_timeout), client_gone_(&client_gone) {}

  // For handlers.

  /// Adds a field to the response; before it is answered or begun.
  Responder& header(std::string_view name, std::string_view value);

  /// Answers with the status and its name as a line of text.
  void answer(int status);
  /// Answers with a body. No Content-Type is sent if it is empty; one that comes from outside belongs in
  /// header(), which is checked. Throws LocalProtocolError when a field added with header() may not be sent.
  void answer(int status, std::string_view content_type, std::string_view body);
  /// The same without copying the body.
  void answer(int status, std::string_view content_type, detail::SharedBytes body);

  /// Begins a response whose body follows with send(): `length` bytes, or until the handler ends.
  void begin(int status, std::string_view content_type, std::optional<std::uint64_t> length = std::nullopt);
  /// Sends a piece of the body at once; waits for the piece before it to be taken by the kernel. Throws
  /// std::length_error for bytes beyond the length that was announced.
  Task<void> send(std::string_view bytes);
  Task<void> send(detail::SharedBytes bytes);
  /// False for HEAD: what is sent is dropped, so a long body need not be made.
  bool wants_body() const noexcept { return !head_only_; }

  // For handlers that misbehave, to try clients out.

  /// Sends these bytes as they are, in place of the answer or of its rest, and closes the connection.
  void break_off(std::string_view last_bytes = "");
  /// Ends the connection with RST; the client may not even see what was sent before.
  void reset();

  // For the connection.

  /// Begins the response to a request.
  void start(bool head_only, int version_minor, bool keep_alive);
  /// Ends it after the handler: the last chunk, or 500 when there was no answer at all.
  void finish();
  /// Ends it with 500, or cuts it off if it has begun.
  void fail();
  /// Whether the connection may go on after this response.
  bool keep_alive() const noexcept { return keep_alive_; }
  void close_afterwards() noexcept { keep_alive_ = false; }

  /// An interim response (RFC 9110, 15.2.1).
  void send_continue();

  /// There is something to write.
  bool pending() const noexcept { return !out_.empty() || !body_.empty(); }
  /// So much that it should be written before further requests are answered.
  bool full() const noexcept;
  /// Starts to write all that is pending; requires that nothing is being written. False when the client is
  /// gone.
  bool flush();

 private:
  enum class Stage : std::uint8_t { unanswered, counted, chunked, until_close, complete };

  void put_head(int status, std::string_view content_type);
  void put_whole_head(int status, std::string_view content_type, std::uint64_t length);
  void check_fields(int status) const;
  Stage choose_framing(int status, std::optional<std::uint64_t> length);
  void take_from_announced(std::size_t bytes);
  Task<void> wait_for_client();

  net::Socket* socket_;
  Duration write_timeout_;
  detail::ReadyNode* client_gone_;

  Stage stage_ = Stage::complete;
  bool head_only_ = false;
  bool keep_alive_ = true;
  int version_minor_ = 1;
  std::uint64_t announced_ = 0;  // bytes of the body that are still to come
  Headers fields_;
  detail::String out_;        // what is to be written next
  detail::SharedBytes body_;  // and then this
};

}  // namespace sluice::server
