// SPDX-License-Identifier: MIT
#include <array>
#include <bit>
#include <cstdlib>

#include <sluice/detail/memory.hpp>

#include "engine/base/compiler.hpp"

namespace sluice::detail {
namespace {

#if SLUICE_ADDRESS_SANITIZER
constexpr bool kRecycle = false;
#else
constexpr bool kRecycle = true;
#endif

constexpr std::size_t kFineStep = 64;     // one class per 64 bytes up to kFineLimit
constexpr std::size_t kFineLimit = 4096;  // above: one class per power of two up to kCoarseLimit
constexpr std::size_t kCoarseLimit = 256 * 1024;
constexpr std::size_t kFineClasses = kFineLimit / kFineStep;
constexpr std::size_t kClasses = kFineClasses + 6;
constexpr std::size_t kCachedBytesPerClass = 1024 * 1024;  // what one thread keeps of one class at most

struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* head;
  std::size_t bytes;
};

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

SizeClass class_of(std::size_t bytes) {
  if (bytes <= kFineLimit) {
    std::size_t index = bytes == 0 ? 0 : (bytes - 1) / kFineStep;
    return {index, (index + 1) * kFineStep};
  }
  std::size_t rounded = std::bit_ceil(bytes);
  auto index = static_cast<std::size_t>(std::countr_zero(rounded / kFineLimit));
  return {kFineClasses + index - 1, rounded};
}

enum class CacheState : unsigned char { untouched, live, gone };

constinit thread_local std::array<FreeList, kClasses> free_lists{};
constinit thread_local CacheState cache_state = CacheState::untouched;

/// Empties this thread's lists when the thread ends; later frees on the thread go straight to malloc.
struct CacheReaper {
  ~CacheReaper() {
    cache_state = CacheState::gone;
    for (FreeList& list : free_lists) {
      while (FreeBlock* block = list.head) {
        list.head = block->next;
        std::free(block);
      }
    }
  }
};

SLUICE_NOINLINE bool open_cache() {
  if (cache_state == CacheState::gone) return false;
  static thread_local CacheReaper reaper;
  cache_state = CacheState::live;
  return true;
}

void* checked_malloc(std::size_t bytes) {
  void* block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* recycled_allocate(std::size_t bytes) {
  if (!kRecycle) return checked_malloc(bytes == 0 ? 1 : bytes);
  if (bytes > kCoarseLimit) return checked_malloc(bytes);
  SizeClass size_class = class_of(bytes);
  FreeList& list = free_lists[size_class.index];
  if (FreeBlock* block = list.head) {
    list.head = block->next;
    list.bytes -= size_class.bytes;
    return block;
  }
  return checked_malloc(size_class.bytes);
}

void recycled_free(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (!kRecycle || bytes > kCoarseLimit) return std::free(memory);
  SizeClass size_class = class_of(bytes);
  FreeList& list = free_lists[size_class.index];
  bool keep = list.bytes < kCachedBytesPerClass && (cache_state == CacheState::live || open_cache());
  if (!keep) return std::free(memory);
  auto* block = static_cast<FreeBlock*>(memory);
  block->next = list.head;
  list.head = block;
  list.bytes += size_class.bytes;
}

}  // namespace sluice::detail
