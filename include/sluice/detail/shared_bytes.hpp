// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include <sluice/detail/memory.hpp>

namespace sluice::detail {

/// Immutable bytes with shared ownership: a request body that the caller, a redirect and the kernel may hold
/// at the same time. Copying shares; safe across threads.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string_view bytes) {
    if (bytes.empty()) return;
    block_ = new (recycled_allocate(sizeof(Block) + bytes.size())) Block{{1}, bytes.size()};
    std::memcpy(block_->data(), bytes.data(), bytes.size());
  }
  SharedBytes(const SharedBytes& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() {
    if (block_ == nullptr || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::size_t size = sizeof(Block) + block_->size;
    block_->~Block();
    recycled_free(block_, size);
  }

  bool empty() const noexcept { return block_ == nullptr; }
  std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  std::string_view view() const noexcept {
    return block_ == nullptr ? std::string_view{} : std::string_view(block_->data(), block_->size);
  }

 private:
  struct Block {
    std::atomic<std::uint32_t> references;
    std::size_t size;
    char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
  };

  Block* block_ = nullptr;
};

}  // namespace sluice::detail
