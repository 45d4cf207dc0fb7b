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

#include <sluice/chunk.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/headers.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>
#include <sluice/url.hpp>

namespace sluice {

namespace detail {
class ClientCore;
struct ResponseState;
struct StreamState;
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
  /// Body bytes as they came, without the chunked coding.
  std::uint64_t num_bytes_downloaded() const noexcept;
  /// Bytes that came for it over the network: heads, the chunked coding and body so far.
  std::uint64_t num_bytes_received() const noexcept;

  bool is_informational() const noexcept { return status() / 100 == 1; }
  bool is_success() const noexcept { return status() / 100 == 2; }
  bool is_redirect() const noexcept { return status() / 100 == 3; }
  bool is_client_error() const noexcept { return status() / 100 == 4; }
  bool is_server_error() const noexcept { return status() / 100 == 5; }
  bool is_error() const noexcept { return is_client_error() || is_server_error(); }

  /// Throws HTTPStatusError unless the status is 2xx; the text is HTTPX's.
  void raise_for_status() const;

 protected:
  explicit ResponseBase(const detail::ResponseState* state) noexcept : state_(state) {}
  ResponseBase(const ResponseBase&) = default;
  ResponseBase& operator=(const ResponseBase&) = default;
  ~ResponseBase() = default;
  const detail::ResponseState* state_;
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

  /// The body's bytes.
  std::string_view content() const noexcept;
  /// The body as UTF-8; bytes that are not are replaced by U+FFFD.
  std::string text() const;
  /// From the start of the request until the last byte of the body.
  Duration elapsed() const noexcept;

 private:
  friend class detail::ClientCore;
  explicit Response(std::unique_ptr<detail::ResponseState, detail::ResponseStateDeleter> state) noexcept
      : ResponseBase(state.get()), owned_(std::move(state)) {}

  std::unique_ptr<detail::ResponseState, detail::ResponseStateDeleter> owned_;
};

namespace detail {

/// Waits until a stream has a chunk, its end or an error. What it brings stays with the stream until it is
/// handed out, so nothing is lost when it is cancelled.
class ChunkAwaiter {
 public:
  explicit ChunkAwaiter(std::shared_ptr<StreamState> stream) noexcept : stream_(std::move(stream)) {}
  bool await_ready() const noexcept;
  template <SluicePromise Parent>
  void await_suspend(std::coroutine_handle<Parent> parent) {
    filling_ = fill(stream_);
    filling_.start(parent.promise());
  }
  Result<std::optional<Chunk>> await_resume();

 private:
  static Task<void> fill(std::shared_ptr<StreamState> stream);

  std::shared_ptr<StreamState> stream_;
  Task<void> filling_;
};

}  // namespace detail

/// The next piece of a streamed body, when it is awaited: a Chunk, or nothing at the end. Throws when the
/// body is cut short or the read timeout passes; `.as_result()` gives a Result instead. Cancelling it loses
/// nothing.
class [[nodiscard]] NextChunk {
 public:
  class [[nodiscard]] AsResult {
   public:
    detail::ChunkAwaiter operator co_await() && { return detail::ChunkAwaiter(std::move(stream_)); }

   private:
    friend class NextChunk;
    explicit AsResult(std::shared_ptr<detail::StreamState> stream) noexcept : stream_(std::move(stream)) {}
    std::shared_ptr<detail::StreamState> stream_;
  };

  class Awaiter : public detail::ChunkAwaiter {
   public:
    using ChunkAwaiter::ChunkAwaiter;
    std::optional<Chunk> await_resume() { return std::move(ChunkAwaiter::await_resume()).value(); }
  };

  Awaiter operator co_await() && { return Awaiter(std::move(stream_)); }
  AsResult as_result() && { return AsResult(std::move(stream_)); }

 private:
  friend class StreamingResponse;
  explicit NextChunk(std::shared_ptr<detail::StreamState> stream) noexcept : stream_(std::move(stream)) {}
  std::shared_ptr<detail::StreamState> stream_;
};

/// A response whose body is read piece by piece. Destroying it before the end closes the connection; at the
/// end the connection goes back to the client's pool. One task reads it at a time. It may be kept when its
/// shard has gone, but then has nothing more to read.
class StreamingResponse : public ResponseBase {
 public:
  StreamingResponse(StreamingResponse&& other) noexcept
      : ResponseBase(std::exchange(other.state_, nullptr)), stream_(std::move(other.stream_)) {}
  StreamingResponse& operator=(StreamingResponse&& other) noexcept {
    stream_ = std::move(other.stream_);
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }

  /// The next piece of the body as it came, at most a receive buffer long; nothing at the end. A chunk that
  /// is kept keeps its buffer: see Chunk::to_owned().
  NextChunk next() { return NextChunk(stream_); }

 private:
  friend class detail::ClientCore;
  explicit StreamingResponse(std::shared_ptr<detail::StreamState> stream) noexcept;

  std::shared_ptr<detail::StreamState> stream_;
};

}  // namespace sluice
