// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include <pthread.h>

#include <sluice/result.hpp>

#include "engine/base/intrusive_list.hpp"

struct io_uring;
struct io_uring_buf_ring;

namespace sluice::ring {

class BufferRing;

/// The header of a block of received bytes: a provided buffer, or a block of recycled memory when provided
/// buffers are scarce (then `ring` is null and the header stands in front of the bytes).
struct Buffer {
  BufferRing* ring = nullptr;
  Buffer* next = nullptr;  // of a queue of received buffers, or of a list of returned ones
  char* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t size = 0;
  std::atomic<std::uint32_t> references{0};
  std::uint16_t id = 0;
};

/// The right to read some received bytes. Move-only; the last lease on a buffer gives it back when it is
/// dropped. May be dropped on any thread, also after the shard is gone.
class Lease {
 public:
  Lease() = default;
  Lease(Buffer& buffer, std::span<const char> bytes) noexcept : buffer_(&buffer), bytes_(bytes) {}
  Lease(Lease&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      drop();
      buffer_ = std::exchange(other.buffer_, nullptr);
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  ~Lease() { drop(); }

  /// Bytes in a block() that fit into a class of recycled memory.
  static constexpr std::uint32_t kBlockBytes = 64 * 1024 - sizeof(Buffer);
  /// A lease on a block of recycled memory, to be filled through memory().
  static Lease block(std::uint32_t bytes = kBlockBytes);
  /// A lease on a block of recycled memory that holds a copy of `bytes`.
  static Lease copy_of(std::span<const char> bytes);

  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  std::span<const char> bytes() const noexcept { return bytes_; }
  /// The bytes of a block(), for whoever fills it.
  std::span<char> memory() const noexcept { return {const_cast<char*>(bytes_.data()), bytes_.size()}; }
  /// Leaves only the first bytes of a block() that holds fewer than it might. Requires the only lease on it.
  void shrink(std::uint32_t bytes) noexcept {
    buffer_->size = bytes;
    bytes_ = bytes_.first(bytes);
  }
  /// Another lease on the same buffer, for a part of its bytes.
  Lease share(std::span<const char> part) const noexcept {
    buffer_->references.fetch_add(1, std::memory_order_relaxed);
    return Lease(*buffer_, part);
  }
  /// Whether the bytes stand in a provided buffer (and not in a copy).
  bool provided() const noexcept { return buffer_ != nullptr && buffer_->ring != nullptr; }
  /// Whether the lease keeps no memory but that of its bytes: a whole block, no part of one and no provided
  /// buffer.
  bool holds_whole_block() const noexcept {
    return buffer_ != nullptr && buffer_->ring == nullptr && buffer_->capacity == bytes_.size();
  }
  void drop() noexcept;

  /// Hands the lease to a holder that only knows the pointer; attach() makes it a lease again.
  Buffer* detach() noexcept { return std::exchange(buffer_, nullptr); }
  static Lease attach(Buffer* buffer, std::span<const char> bytes) noexcept {
    Lease lease;
    lease.buffer_ = buffer;
    lease.bytes_ = bytes;
    return lease;
  }

 private:
  friend class LeaseQueue;
  Buffer* buffer_ = nullptr;
  std::span<const char> bytes_;
};

/// Leases in order of arrival; whole buffers, linked through their headers, so queueing allocates nothing.
class LeaseQueue {
 public:
  LeaseQueue() = default;
  LeaseQueue(const LeaseQueue&) = delete;
  LeaseQueue& operator=(const LeaseQueue&) = delete;
  ~LeaseQueue() { clear(); }

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t bytes() const noexcept { return bytes_; }
  void push_back(Lease lease) noexcept;
  Lease pop_front() noexcept;
  void clear() noexcept {
    while (!empty()) pop_front();
  }

 private:
  Buffer* first_ = nullptr;
  Buffer* last_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Somebody whose multishot receive ended because the buffer ring was empty.
class StarvedReceiver : public base::ListNode {
 public:
  using Function = void (*)(StarvedReceiver&);
  explicit StarvedReceiver(Function buffers_are_back) noexcept : buffers_are_back_(buffers_are_back) {}

 private:
  friend class BufferRing;
  Function buffers_are_back_;
};

/// The provided buffers of a shard: the kernel takes one for each receive, a Lease brings it back. Buffers
/// that come back are handed to the kernel in one batch per turn of the loop.
///
/// The kernel uses buffers in the order in which it got them. So that bulk data does not walk through all the
/// memory there is, it is given only as many as will be filled with about `hot_bytes`, and those that came
/// back last: they are still in the processor's cache.
///
/// Threading: used by the shard's thread, but for leases that are dropped elsewhere.
class BufferRing {
 public:
  struct Options {
    std::uint32_t count;        ///< buffers; a power of two, at most 32768
    std::uint32_t buffer_size;  ///< bytes
    std::uint32_t hot_bytes;    ///< data that the buffers offered to the kernel shall hold together
  };

  /// Registers the buffers. Errors: system_error.
  static Result<BufferRing*> open(io_uring& ring, const Options& options, void (*wake)(void*),
                                  void* wake_argument);
  /// Unregisters and frees, at once or when the last lease is dropped.
  void close();

  std::uint16_t group() const noexcept { return kGroup; }
  /// The lease on a buffer that a receive completion named. A short queue of free buffers makes it a copy, so
  /// that callers who keep their leases cannot starve the others.
  Lease take(std::uint16_t buffer_id, std::uint32_t size);
  /// The buffer of a completion without data goes straight back.
  void give_back(std::uint16_t buffer_id);

  /// Queues a receiver that met an empty ring; it is called when buffers are back. Destroying it takes it
  /// out.
  void wait_for_buffers(StarvedReceiver& receiver) { starved_.push_back(receiver); }
  /// Somebody waits for buffers.
  bool starving() const noexcept { return !starved_.empty(); }
  /// One batch: hands returned buffers to the kernel, then calls as many starved receivers as there are
  /// buffers.
  void return_batch();

  std::uint32_t leased() const noexcept { return leased_; }
  std::uint64_t copies() const noexcept { return copies_; }
  std::uint64_t starvations() const noexcept { return starvations_; }
  /// Whether an address lies in a provided buffer.
  bool contains(const char* address) const noexcept {
    return address >= memory_ && address < memory_ + std::size_t{options_.count} * options_.buffer_size;
  }
  /// Whether other threads have given buffers back that return_batch() has not seen. Sequentially consistent
  /// with the wake-up that follows a return.
  bool returned_elsewhere() const noexcept { return any_elsewhere_.load(); }

 private:
  friend class Lease;

  // Debian's 6.1 keeps the old head when a group id below 64 is registered anew on the same ring.
  static constexpr std::uint16_t kGroup = 64;

  BufferRing(io_uring& ring, const Options& options, void (*wake)(void*), void* wake_argument);
  ~BufferRing();

  void release(Buffer& buffer) noexcept;
  void release_elsewhere(Buffer& buffer) noexcept;
  void collect_elsewhere();
  void free_when_unused(std::unique_lock<std::mutex> lock);
  std::uint32_t wanted_with_kernel() const noexcept;
  void offer_buffers() noexcept;

  io_uring* ring_;
  Options options_;
  void (*wake_)(void*);
  void* wake_argument_;
  pthread_t thread_;
  io_uring_buf_ring* entries_ = nullptr;
  char* memory_ = nullptr;
  std::unique_ptr<Buffer[]> buffers_;
  Buffer* free_ = nullptr;         // neither leased nor the kernel's, the last one returned first
  std::uint32_t with_kernel_ = 0;  // buffers the kernel can take
  std::uint32_t usual_fill_ = 0;   // bytes in a received buffer, a moving average
  std::uint32_t leased_ = 0;
  std::uint64_t copies_ = 0;
  std::uint64_t starvations_ = 0;
  base::List<StarvedReceiver> starved_;

  std::mutex mutex_;                      // guards what other threads touch:
  Buffer* returned_elsewhere_ = nullptr;  // given back by other threads
  std::uint32_t orphans_ = 0;             // leases still out after close()
  std::atomic<bool> closed_{false};
  std::atomic<bool> any_elsewhere_{false};
};

}  // namespace sluice::ring
