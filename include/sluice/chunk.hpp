// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace sluice {

namespace ring {
struct Buffer;
class Lease;
}  // namespace ring

namespace detail {
template <class Piece, class Origin>
class SourceOf;
}  // namespace detail

namespace http {
class Upload;
}  // namespace http

/// Some bytes of a body. One that was received is a lease on the receive buffer in which the kernel put them,
/// and the buffer goes back when the chunk is dropped; one that is to be sent holds a copy. Move-only. May be
/// dropped on any thread.
class Chunk {
 public:
  Chunk() = default;
  /// A copy of these bytes, for a body that is sent. Throws std::length_error above 4 GiB - 1.
  explicit Chunk(std::string_view bytes);
  Chunk(Chunk&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  Chunk& operator=(Chunk&& other) noexcept;
  ~Chunk();

  std::span<const char> bytes() const noexcept { return bytes_; }
  std::string_view view() const noexcept { return {bytes_.data(), bytes_.size()}; }
  std::size_t size() const noexcept { return bytes_.size(); }
  /// The same bytes in memory of their own; the receive buffer goes back once nothing else lies in it.
  Chunk to_owned() &&;

 private:
  template <class Piece, class Origin>
  friend class detail::SourceOf;
  friend class http::Upload;
  explicit Chunk(ring::Lease lease) noexcept;
  ring::Lease take_lease() && noexcept;

  ring::Buffer* buffer_ = nullptr;
  std::span<const char> bytes_;
};

}  // namespace sluice
