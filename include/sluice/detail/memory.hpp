// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>
#include <string>
#include <utility>
#include <vector>

/// Recycled memory: per-thread free lists by size class in front of malloc. Coroutine frames, requests and
/// responses live here, so that a steady stream of requests allocates nothing from the heap.
///
/// Threading: any thread may allocate and free; a block freed on another thread than the one that allocated
/// it joins the free list of the freeing thread. Each list is bounded, the rest goes back to malloc. Under
/// AddressSanitizer every call goes to malloc, so that use after free stays visible.
namespace sluice::detail {

/// Returns at least `bytes` bytes aligned for any scalar type. Throws std::bad_alloc.
[[nodiscard]] void* recycled_allocate(std::size_t bytes);

/// Gives back a block of recycled_allocate(); `bytes` is the size that was asked for.
void recycled_free(void* block, std::size_t bytes) noexcept;

/// A standard allocator over recycled memory.
template <class T>
struct RecyclingAllocator {
  using value_type = T;
  RecyclingAllocator() = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] T* allocate(std::size_t count) {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(recycled_allocate(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept { recycled_free(block, count * sizeof(T)); }
  friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator&) { return true; }
};

using String = std::basic_string<char, std::char_traits<char>, RecyclingAllocator<char>>;
template <class T>
using Vector = std::vector<T, RecyclingAllocator<T>>;

/// Base class that puts objects made with `new` into recycled memory. Not for use through a base pointer
/// without a virtual destructor: sized delete must see the true size.
struct Recycled {
  static void* operator new(std::size_t bytes) { return recycled_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { recycled_free(block, bytes); }
};

}  // namespace sluice::detail
