// SPDX-License-Identifier: MIT
#include "engine/ring/buffer_ring.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include <sys/mman.h>

#include <sluice/detail/memory.hpp>

#include "engine/base/check.hpp"
#include "engine/base/system_error.hpp"
#include "engine/ring/abi.hpp"

namespace sluice::ring {
namespace {

void* map_memory(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// What the kernel is offered at least: connections that receive at the same time must not empty the ring.
constexpr std::uint32_t kFewestOffered = 8;
constexpr std::uint32_t kAveragedReceives = 16;

std::size_t entries_bytes(std::uint32_t count) {
  return std::size_t{count} * sizeof(io_uring_buf);
}

Error setup_error(int code, const std::string& what) {
  return base::system_error(code, what + ": " + std::strerror(code));
}

}  // namespace

Lease Lease::block(std::uint32_t bytes) {
  void* memory = detail::recycled_allocate(sizeof(Buffer) + bytes);
  auto* buffer = new (memory) Buffer;
  buffer->data = static_cast<char*>(memory) + sizeof(Buffer);
  buffer->capacity = buffer->size = bytes;
  buffer->references.store(1, std::memory_order_relaxed);
  return Lease(*buffer, {buffer->data, bytes});
}

Lease Lease::copy_of(std::span<const char> bytes) {
  Lease copy = block(static_cast<std::uint32_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(copy.memory().data(), bytes.data(), bytes.size());
  return copy;
}

void Lease::drop() noexcept {
  Buffer* buffer = std::exchange(buffer_, nullptr);
  bytes_ = {};
  if (buffer == nullptr) return;
  // The only lease needs no atomic write; acquire pairs with the release of leases dropped before.
  bool last = buffer->references.load(std::memory_order_acquire) == 1 ||
              buffer->references.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (!last) return;
  if (buffer->ring != nullptr) return buffer->ring->release(*buffer);
  std::size_t size = sizeof(Buffer) + buffer->capacity;
  buffer->~Buffer();
  detail::recycled_free(buffer, size);
}

void LeaseQueue::push_back(Lease lease) noexcept {
  Buffer* buffer = std::exchange(lease.buffer_, nullptr);
  buffer->next = nullptr;
  (last_ != nullptr ? last_->next : first_) = buffer;
  last_ = buffer;
  bytes_ += buffer->size;
}

Lease LeaseQueue::pop_front() noexcept {
  Buffer* buffer = first_;
  first_ = buffer->next;
  if (first_ == nullptr) last_ = nullptr;
  bytes_ -= buffer->size;
  return Lease(*buffer, {buffer->data, buffer->size});
}

BufferRing::BufferRing(io_uring& ring, const Options& options, void (*wake)(void*), void* wake_argument)
    : ring_(&ring), options_(options), wake_(wake), wake_argument_(wake_argument), thread_(pthread_self()) {}

BufferRing::~BufferRing() {
  if (entries_ != nullptr) munmap(entries_, entries_bytes(options_.count));
  if (memory_ != nullptr) munmap(memory_, std::size_t{options_.count} * options_.buffer_size);
}

Result<BufferRing*> BufferRing::open(io_uring& ring, const Options& options, void (*wake)(void*),
                                     void* wake_argument) {
  if (options.buffer_size == 0) return setup_error(EINVAL, "the size of receive buffers must not be zero");
  if (!std::has_single_bit(options.count) || options.count > 32768)
    return setup_error(EINVAL, "the number of receive buffers must be a power of two, at most 32768");
  struct Deleter {
    void operator()(BufferRing* buffers) const { delete buffers; }
  };
  std::unique_ptr<BufferRing, Deleter> self(new BufferRing(ring, options, wake, wake_argument));
  self->entries_ = static_cast<io_uring_buf_ring*>(map_memory(entries_bytes(options.count)));
  self->memory_ = static_cast<char*>(map_memory(std::size_t{options.count} * options.buffer_size));
  if (self->entries_ == nullptr || self->memory_ == nullptr)
    return setup_error(ENOMEM, "no memory for receive buffers");

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(self->entries_);
  registration.ring_entries = options.count;
  registration.bgid = kGroup;
  int error = -io_uring_register_buf_ring(&ring, &registration, 0);
  if (error != 0) return setup_error(error, "receive buffers cannot be registered (see ulimit -l)");

  io_uring_buf_ring_init(self->entries_);
  self->buffers_ = std::make_unique<Buffer[]>(options.count);
  for (std::uint32_t i = options.count; i-- > 0;) {
    Buffer& buffer = self->buffers_[i];
    buffer.ring = self.get();
    buffer.data = self->memory_ + std::size_t{i} * options.buffer_size;
    buffer.capacity = options.buffer_size;
    buffer.id = static_cast<std::uint16_t>(i);
    buffer.next = std::exchange(self->free_, &buffer);
  }
  self->offer_buffers();
  return self.release();
}

Lease BufferRing::take(std::uint16_t buffer_id, std::uint32_t size) {
  Buffer& buffer = buffers_[buffer_id];
  buffer.size = size;
  buffer.references.store(1, std::memory_order_relaxed);
  --with_kernel_;
  ++leased_;
  usual_fill_ = usual_fill_ - usual_fill_ / kAveragedReceives + size / kAveragedReceives;
  Lease lease(buffer, {buffer.data, size});
  std::uint32_t reserve = std::max(options_.count / 4, 1U);
  bool scarce = leased_ > options_.count - reserve;
  if (!scarce) return lease;
  ++copies_;
  return Lease::copy_of(lease.bytes());
}

void BufferRing::give_back(std::uint16_t buffer_id) {
  take(buffer_id, 0).drop();
}

void BufferRing::release(Buffer& buffer) noexcept {
  bool here = pthread_equal(thread_, pthread_self()) != 0 && !closed_.load(std::memory_order_relaxed);
  if (!here) return release_elsewhere(buffer);
  buffer.next = std::exchange(free_, &buffer);
  --leased_;
}

void BufferRing::release_elsewhere(Buffer& buffer) noexcept {
  std::unique_lock lock(mutex_);
  if (closed_.load(std::memory_order_relaxed)) {
    --orphans_;
    return free_when_unused(std::move(lock));
  }
  buffer.next = std::exchange(returned_elsewhere_, &buffer);
  any_elsewhere_.store(true);
  wake_(wake_argument_);  // under the lock: close() waits for it, so the loop behind it is still there
}

void BufferRing::collect_elsewhere() {
  if (!any_elsewhere_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  any_elsewhere_.store(false, std::memory_order_relaxed);
  while (Buffer* buffer = returned_elsewhere_) {
    returned_elsewhere_ = buffer->next;
    buffer->next = std::exchange(free_, buffer);
    --leased_;
  }
}

std::uint32_t BufferRing::wanted_with_kernel() const noexcept {
  return std::clamp(options_.hot_bytes / std::max(usual_fill_, 1U), std::min(kFewestOffered, options_.count),
                    options_.count);
}

void BufferRing::offer_buffers() noexcept {
  int count = 0;
  for (std::uint32_t wanted = wanted_with_kernel(); with_kernel_ < wanted && free_ != nullptr;
       ++with_kernel_) {
    Buffer& buffer = *std::exchange(free_, free_->next);
    io_uring_buf_ring_add(entries_, buffer.data, buffer.capacity, buffer.id,
                          io_uring_buf_ring_mask(options_.count), count++);
  }
  if (count != 0) io_uring_buf_ring_advance(entries_, count);
}

void BufferRing::return_batch() {
  collect_elsewhere();
  offer_buffers();
  // Also when none came back now: a receiver may hear of an empty ring only after the buffers have returned
  // to it.
  for (std::uint32_t free = with_kernel_; free > 0 && !starved_.empty(); --free) {
    StarvedReceiver& receiver = starved_.front();
    receiver.unlink();
    ++starvations_;
    receiver.buffers_are_back_(receiver);
  }
}

void BufferRing::close() {
  io_uring_unregister_buf_ring(ring_, kGroup);
  std::unique_lock lock(mutex_);
  while (Buffer* buffer = returned_elsewhere_) {
    returned_elsewhere_ = buffer->next;
    --leased_;
  }
  closed_.store(true, std::memory_order_relaxed);
  orphans_ = leased_;
  free_when_unused(std::move(lock));
}

void BufferRing::free_when_unused(std::unique_lock<std::mutex> lock) {
  bool unused = orphans_ == 0;
  lock.unlock();
  if (unused) delete this;
}

}  // namespace sluice::ring
