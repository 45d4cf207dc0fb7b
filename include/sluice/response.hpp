// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sluice/detail/timer.hpp>
#include <sluice/headers.hpp>
#include <sluice/result.hpp>
#include <sluice/task.hpp>
#include <sluice/url.hpp>

namespace sluice {

namespace ring {
struct Buffer;
class Lease;
}  // namespace ring

namespace detail {
class ClientCore;
struct ResponseState;
struct StreamState;
struct ResponseStateDeleter {
  void operator()(ResponseState* state) const noexcept;
};
struct StreamStateDeleter {
  void operator()(StreamState* state) const noexcept;
};
}  // namespace detail

/// What a response has besides its body. Views live as long as the response.
class ResponseBase {
 public:
  int status() const noexcept;
  std::string_view reason() const noexcept;        ///< as sent; may be empty
  std::string_view http_version() const noexcept;  ///< "HTTP/1.0" or "HTTP/1.1"
  const Headers& headers() const noexcept;
  const Headers& trailers() const noexcept;        ///< fields behind a chunked body, once it has been read
  const Url& url() const noexcept;                 ///< of the request
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
  const detail::ResponseState* state_;
};

/// A response whose body has been read. Move-only, one pointer wide; may be moved to another thread.
class Response : public ResponseBase {
 public:
  Response(Response&& other) noexcept : ResponseBase(other), owned_(std::move(other.owned_)) { other.state_ = nullptr; }
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

/// Some bytes of a body where the kernel put them: a lease on a receive buffer, which goes back to the kernel when the
/// chunk is dropped. Move-only. May be dropped on any thread.
class Chunk {
 public:
  Chunk() = default;
  Chunk(Chunk&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  Chunk& operator=(Chunk&& other) noexcept;
  ~Chunk();

  std::span<const char> bytes() const noexcept { return bytes_; }
  std::string_view view() const noexcept { return {bytes_.data(), bytes_.size()}; }
  std::size_t size() const noexcept { return bytes_.size(); }
  /// The same bytes in memory of their own; the receive buffer goes back at once.
  Chunk to_owned() &&;

 private:
  friend class detail::ClientCore;
  friend class StreamingResponse;
  explicit Chunk(ring::Lease lease) noexcept;

  ring::Buffer* buffer_ = nullptr;
  std::span<const char> bytes_;
};

/// A response whose body is read piece by piece. Destroying it before the end closes the connection.
class StreamingResponse : public ResponseBase {
 public:
  StreamingResponse(StreamingResponse&& other) noexcept;
  StreamingResponse& operator=(StreamingResponse&& other) noexcept;
  ~StreamingResponse();

  /// The next piece of the body as it came, at most a receive buffer long; nothing at the end. Throws when the body
  /// is cut short or the read timeout passes. A chunk that is kept keeps its buffer: see Chunk::to_owned().
  Task<std::optional<Chunk>> next();
  /// The same without exceptions.
  Task<Result<std::optional<Chunk>>> next_result();

 private:
  friend class detail::ClientCore;
  explicit StreamingResponse(std::unique_ptr<detail::StreamState, detail::StreamStateDeleter> state) noexcept;

  std::unique_ptr<detail::StreamState, detail::StreamStateDeleter> owned_;
};

}  // namespace sluice
