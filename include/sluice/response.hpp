// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/body_iterator.hpp>
#include <sluice/chunk.hpp>
#include <sluice/detail/attempt.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/headers.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>
#include <sluice/text.hpp>
#include <sluice/tls.hpp>
#include <sluice/url.hpp>

namespace sluice {

class Request;
class Response;

namespace detail {
class ClientCore;
struct ResponseState;
class StreamState;
struct ResponseStateDeleter {
  void operator()(ResponseState* state) const noexcept;
};
}  // namespace detail

/// What a response has besides its body. Views live as long as the response; one that was moved from may only
/// be assigned to or destroyed.
class ResponseBase {
 public:
  int status() const noexcept;
  std::string_view reason() const noexcept;        ///< as sent; may be empty
  std::string_view http_version() const noexcept;  ///< "HTTP/1.0" or "HTTP/1.1"
  const Headers& headers() const noexcept;
  const Headers& trailers() const noexcept;  ///< fields behind a chunked body, once it has been read
  const Url& url() const noexcept;           ///< of the request
  /// Body bytes as they came so far, without the chunked coding.
  std::uint64_t num_bytes_downloaded() const noexcept;
  /// Body bytes so far with the content codings undone.
  std::uint64_t num_bytes_decoded() const noexcept;
  /// Bytes that came for it over the network: heads, the chunked coding and body so far.
  std::uint64_t num_bytes_received() const noexcept;

  /// What TLS has negotiated on its connection; nothing for http.
  std::optional<TlsInfo> tls() const;

  /// The content coding at which decoding stops because it is not known: the body is still coded with it.
  /// Empty if there is none.
  std::string unknown_coding() const;
  /// The links of the Link fields (RFC 8288).
  Links links() const;
  /// The charset that Content-Type names, as it stands there.
  std::optional<std::string> charset_encoding() const;
  /// The name of the encoding that text is decoded from: what set_encoding() said, the charset of
  /// Content-Type if it is known, or the client's default_encoding().
  std::string encoding() const;
  /// Has text decoded from this encoding. An unknown name counts for nothing. Throws nothing.
  void set_encoding(std::string_view name);

  /// 301, 302, 303, 307 or 308 with a Location field.
  bool has_redirect_location() const noexcept;
  /// The redirects that led to this response, the first one first. Their own histories are empty, and so is
  /// their content if this response is a streamed one.
  const std::vector<Response>& history() const noexcept;
  /// The request that a redirect asks for, if it was not followed and Location can be requested.
  std::optional<Request> next_request() const;
  bool is_informational() const noexcept { return status() / 100 == 1; }
  bool is_success() const noexcept { return status() / 100 == 2; }
  bool is_redirect() const noexcept { return status() / 100 == 3; }
  bool is_client_error() const noexcept { return status() / 100 == 4; }
  bool is_server_error() const noexcept { return status() / 100 == 5; }
  bool is_error() const noexcept { return is_client_error() || is_server_error(); }

  /// Throws HTTPStatusError unless the status is 2xx; the text is HTTPX's.
  void raise_for_status() const;

 protected:
  explicit ResponseBase(detail::ResponseState* state) noexcept : state_(state) {}
  ResponseBase(const ResponseBase&) = default;
  ResponseBase& operator=(const ResponseBase&) = default;
  ~ResponseBase() = default;
  detail::ResponseState* state_;
};

/// A response whose body has been read. Move-only, one pointer wide; may be moved to another thread.
class Response : public ResponseBase {
 public:
  Response(Response&& other) noexcept : ResponseBase(other), owned_(std::move(other.owned_)) {
    other.state_ = nullptr;
  }
  Response& operator=(Response&& other) noexcept {
    owned_ = std::move(other.owned_);
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }

  /// The body's bytes, decoded.
  std::string_view content() const noexcept;
  /// The body as UTF-8, from encoding(); what is invalid is replaced by U+FFFD.
  std::string text() const;
  /// From the start of the request until the last byte of the body.
  Duration elapsed() const noexcept;

 private:
  friend class detail::ClientCore;
  explicit Response(std::unique_ptr<detail::ResponseState, detail::ResponseStateDeleter> state) noexcept
      : ResponseBase(state.get()), owned_(std::move(state)) {}

  std::unique_ptr<detail::ResponseState, detail::ResponseStateDeleter> owned_;
};

/// The largest size that iter_bytes() and iter_text() take.
inline constexpr std::size_t kLargestChunkSize = std::size_t{1} << 30;

/// A response whose body is read as it comes. The states are those of HTTPX: a body is read once, as a whole
/// or in one iteration; a second attempt is StreamConsumed, one after close() is StreamClosed, and content()
/// before read() is ResponseNotRead.
///
/// Leaving the scope closes it: the connection is closed unless the body had come to its end, when the
/// connection goes back to the client's pool. One task reads it at a time. It may be kept when its shard has
/// gone, but then has nothing more to read.
class StreamingResponse : public ResponseBase {
 public:
  StreamingResponse(StreamingResponse&& other) noexcept
      : ResponseBase(std::exchange(other.state_, nullptr)), stream_(std::move(other.stream_)) {}
  StreamingResponse& operator=(StreamingResponse&& other) noexcept;
  ~StreamingResponse();

  /// The body as it came, without the chunked coding; the pieces lie where the kernel put them.
  BodyIterator<Chunk> iter_raw();
  /// The body with its content codings undone. Without any, the pieces are those of iter_raw().
  BodyIterator<Chunk> iter_bytes();
  /// The same in pieces of exactly `chunk_bytes` bytes, but for the last one. Throws std::invalid_argument
  /// when it is 0 or above kLargestChunkSize.
  BodyIterator<Chunk> iter_bytes(std::size_t chunk_bytes);
  /// The body as UTF-8, from encoding(); what is invalid becomes U+FFFD.
  BodyIterator<std::string_view> iter_text();
  /// The same in pieces of exactly so many characters (code points), but for the last one.
  BodyIterator<std::string_view> iter_text(std::size_t chunk_characters);
  /// The body's lines as UTF-8, without their ends. A line longer than max_line_bytes is LimitExceeded.
  BodyIterator<std::string_view> iter_lines(LineMode mode = LineMode::universal);

  /// Reads the whole body, decoded, into content(), which it gives. Again: the same content.
  detail::Attempt<std::string_view> read();
  /// Reads what is left and throws it away, in the kernel where it can. Afterwards the connection is free.
  detail::Attempt<void> discard();
  /// Ends it: waits until the connection is parked, if what is left is worth draining (see
  /// ClientOptions::drain()), or closed. Again: nothing happens.
  Task<void> close();

  /// After read(): the body's bytes, decoded. Before: throws ResponseNotRead.
  std::string_view content() const;
  /// After read(): the body as UTF-8, from encoding(). Before: throws ResponseNotRead.
  std::string text() const;
  /// From the start of the request until the last byte of the body, or until it was closed. Throws
  /// ResponseNotRead before.
  Duration elapsed() const;
  /// The body has come to its end, or the response was closed or failed.
  bool is_closed() const noexcept;
  /// Somebody has begun to read the body.
  bool is_stream_consumed() const noexcept;

 private:
  friend class detail::ClientCore;
  explicit StreamingResponse(std::shared_ptr<detail::StreamState> stream) noexcept;

  std::shared_ptr<detail::StreamState> stream_;
};

}  // namespace sluice
