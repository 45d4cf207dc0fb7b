// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <liburing.h>

namespace bench {

// Kernel constants newer than the headers of liburing 2.3.
inline constexpr unsigned kSetupNoSqArray = 1U << 16;
inline constexpr unsigned kFeatureMinWait = 1U << 15;
inline constexpr unsigned kFeatureNoIowait = 1U << 17;
inline constexpr unsigned kEnterNoIowait = 1U << 7;
inline constexpr unsigned kBufferRingIncremental = 1U << 1;
inline constexpr unsigned kCqeBufferMore = 1U << 4;
inline constexpr unsigned kReceiveBundle = 1U << 4;

struct RingOptions {
  unsigned entries = 1024;
  unsigned completions = 8192;
  bool defer_taskrun = true;
  bool registered_fd = true;
  bool no_iowait = false;
  bool no_sq_array = false;
};

// A mapped region, unmapped at the end.
class Mapping {
 public:
  Mapping(std::size_t size, int fd, std::uint64_t offset);  // fd -1: anonymous memory
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* data() const { return data_; }
  template <class T>
  T* at(std::size_t offset) const {
    return static_cast<T*>(static_cast<void*>(data_ + offset));
  }

 private:
  std::byte* data_;
  std::size_t size_;
};

// An io_uring with no library between the program and the kernel, so that a benchmark pays for nothing else.
class RawRing {
 public:
  explicit RawRing(const RingOptions& options);
  ~RawRing();
  RawRing(const RawRing&) = delete;
  RawRing& operator=(const RawRing&) = delete;

  // A cleared entry; enters the kernel first when the queue is full.
  io_uring_sqe& sqe();

  // Submits, then waits for wait_nr completions; after min_wait_us (when not 0) one is enough.
  void enter(unsigned wait_nr, unsigned min_wait_us = 0);

  // Hands each completion present on entry to `handle`, as a copy.
  template <class Handle>
  void drain(Handle handle) {
    unsigned head = *cq_head_;
    unsigned tail = __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE);
    for (; head != tail; ++head) handle(io_uring_cqe(cqes_[head & cq_mask_]));
    __atomic_store_n(cq_head_, head, __ATOMIC_RELEASE);
  }

  void register_files(std::span<const int> files);
  int fd() const { return fd_; }
  unsigned features() const { return features_; }
  std::uint64_t enters() const { return enters_; }

 private:
  RawRing(const RingOptions& options, io_uring_params params);
  void register_own_fd();

  int fd_;
  int enter_fd_;
  unsigned enter_flags_ = 0;
  unsigned features_;
  unsigned entries_;
  Mapping rings_;
  Mapping sqes_;
  unsigned *sq_head_, *sq_tail_;
  unsigned *cq_head_, *cq_tail_;
  unsigned cq_mask_;
  io_uring_cqe* cqes_;
  unsigned local_tail_ = 0;
  std::uint64_t enters_ = 0;
};

// A provided buffer ring of group 0. Returned buffers become visible to the kernel at commit().
class BufferRing {
 public:
  BufferRing(RawRing& ring, unsigned count, unsigned size, bool incremental = false);
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  const char* data(unsigned id) const { return data_.at<char>(std::size_t{id} * size_); }
  void put_back(unsigned id);
  // Returns the buffers that a receive filled with `bytes` when every receive is a bundle: they are the next
  // ones in the order in which the kernel got them.
  void put_back_bundle(std::size_t bytes);
  void commit();

 private:
  unsigned count_, size_;
  unsigned returned_ = 0;
  unsigned head_ = 0;  // how many buffers came back from bundles
  Mapping entries_, data_;
};

inline unsigned buffer_id(const io_uring_cqe& cqe) {
  return cqe.flags >> IORING_CQE_BUFFER_SHIFT;
}

[[noreturn]] void throw_errno(const char* what, int error);

}  // namespace bench
