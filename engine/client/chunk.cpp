// SPDX-License-Identifier: MIT
#include <cstdint>
#include <limits>
#include <stdexcept>

#include <sluice/chunk.hpp>

#include "engine/ring/buffer_ring.hpp"

namespace sluice {

Chunk::Chunk(ring::Lease lease) noexcept {
  bytes_ = lease.bytes();
  buffer_ = lease.detach();
}

Chunk::Chunk(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
    throw std::length_error("a chunk holds less than 4 GiB");
  *this = Chunk(ring::Lease::copy_of(bytes));
}

Chunk& Chunk::operator=(Chunk&& other) noexcept {
  if (this != &other) {
    ring::Lease::attach(buffer_, bytes_).drop();
    buffer_ = std::exchange(other.buffer_, nullptr);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

Chunk::~Chunk() {
  ring::Lease::attach(buffer_, bytes_).drop();
}

ring::Lease Chunk::take_lease() && noexcept {
  return ring::Lease::attach(std::exchange(buffer_, nullptr), std::exchange(bytes_, {}));
}

Chunk Chunk::to_owned() && {
  ring::Lease lease = std::move(*this).take_lease();
  return Chunk(lease && !lease.holds_whole_block() ? ring::Lease::copy_of(lease.bytes()) : std::move(lease));
}

}  // namespace sluice
