// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <sluice/detail/memory.hpp>

namespace sluice::wire {

/// Recycled memory for the state of C libraries, so that setting a decoder up seldom reaches malloc. They
/// free without saying how much, hence the size stands in front of each block. nullptr when there is no
/// memory.
inline void* library_allocate(std::size_t bytes) noexcept try {
  constexpr std::size_t kPrefix = alignof(std::max_align_t);
  if (bytes > SIZE_MAX - kPrefix) return nullptr;
  auto* block = static_cast<std::byte*>(detail::recycled_allocate(bytes + kPrefix));
  ::new (block) std::size_t(bytes + kPrefix);
  return block + kPrefix;
} catch (const std::bad_alloc&) {
  return nullptr;
}

inline void library_free(void* memory) noexcept {
  if (memory == nullptr) return;
  auto* block = static_cast<std::byte*>(memory) - alignof(std::max_align_t);
  detail::recycled_free(block, *reinterpret_cast<std::size_t*>(block));
}

}  // namespace sluice::wire
