// SPDX-License-Identifier: MIT
#include "bench/common/raw_ring.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench {
namespace {

io_uring_params parameters(const RingOptions& options) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  if (options.defer_taskrun) params.flags |= IORING_SETUP_DEFER_TASKRUN;
  if (options.no_sq_array) params.flags |= kSetupNoSqArray;
  params.cq_entries = options.completions;
  return params;
}

// The submission and the completion ring share one mapping (IORING_FEAT_SINGLE_MMAP, kernel 5.4).
std::size_t rings_size(const io_uring_params& params) {
  return params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe) +
         (params.flags & kSetupNoSqArray ? 0 : params.sq_entries * sizeof(unsigned));
}

int checked_register(int fd, unsigned operation, void* argument, unsigned count, const char* what) {
  auto result = static_cast<int>(syscall(__NR_io_uring_register, fd, operation, argument, count));
  if (result < 0) throw_errno(what, errno);
  return result;
}

int setup(unsigned entries, io_uring_params& params) {
  auto fd = static_cast<int>(syscall(__NR_io_uring_setup, entries, &params));
  if (fd < 0) throw_errno("io_uring_setup", errno);
  return fd;
}

}  // namespace

void throw_errno(const char* what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

Mapping::Mapping(std::size_t size, int fd, std::uint64_t offset) : size_(size) {
  int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE : MAP_SHARED | MAP_POPULATE;
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, static_cast<off_t>(offset));
  if (address == MAP_FAILED) throw_errno("mmap", errno);
  data_ = static_cast<std::byte*>(address);
}

Mapping::~Mapping() {
  munmap(data_, size_);
}

RawRing::RawRing(const RingOptions& options) : RawRing(options, parameters(options)) {}

RawRing::RawRing(const RingOptions& options, io_uring_params params)
    : fd_(setup(options.entries, params)),
      enter_fd_(fd_),
      features_(params.features),
      entries_(params.sq_entries),
      rings_(rings_size(params), fd_, IORING_OFF_SQ_RING),
      sqes_(params.sq_entries * sizeof(io_uring_sqe), fd_, IORING_OFF_SQES),
      sq_head_(rings_.at<unsigned>(params.sq_off.head)),
      sq_tail_(rings_.at<unsigned>(params.sq_off.tail)),
      cq_head_(rings_.at<unsigned>(params.cq_off.head)),
      cq_tail_(rings_.at<unsigned>(params.cq_off.tail)),
      cq_mask_(params.cq_entries - 1),
      cqes_(rings_.at<io_uring_cqe>(params.cq_off.cqes)) {
  if (!options.no_sq_array) {  // entry i is always slot i: the indirection is filled once
    auto* array = rings_.at<unsigned>(params.sq_off.array);
    for (unsigned i = 0; i < entries_; ++i) array[i] = i;
  }
  if (options.no_iowait && features_ & kFeatureNoIowait) enter_flags_ |= kEnterNoIowait;
  if (options.registered_fd) register_own_fd();
}

RawRing::~RawRing() {
  close(fd_);
}

void RawRing::register_own_fd() {
  io_uring_rsrc_update update{};
  update.offset = ~0U;  // any free slot
  update.data = static_cast<unsigned>(fd_);
  checked_register(fd_, IORING_REGISTER_RING_FDS, &update, 1, "registering the ring's descriptor");
  enter_fd_ = static_cast<int>(update.offset);
  enter_flags_ |= IORING_ENTER_REGISTERED_RING;
}

void RawRing::register_files(std::span<const int> files) {
  std::vector<int> table(files.begin(), files.end());
  checked_register(fd_, IORING_REGISTER_FILES, table.data(), static_cast<unsigned>(table.size()),
                   "registering files");
}

io_uring_sqe& RawRing::sqe() {
  while (local_tail_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE) == entries_) enter(0);
  auto& entry = sqes_.at<io_uring_sqe>(0)[local_tail_++ & (entries_ - 1)];
  std::memset(&entry, 0, sizeof entry);
  return entry;
}

void RawRing::enter(unsigned wait_nr, unsigned min_wait_us) {
  __atomic_store_n(sq_tail_, local_tail_, __ATOMIC_RELEASE);
  unsigned to_submit = local_tail_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE);
  unsigned flags = enter_flags_ | IORING_ENTER_GETEVENTS;
  io_uring_getevents_arg argument{};
  argument.pad = min_wait_us;  // min_wait_usec in newer headers
  if (min_wait_us != 0) flags |= IORING_ENTER_EXT_ARG;
  auto result = syscall(__NR_io_uring_enter, enter_fd_, to_submit, wait_nr, flags,
                        min_wait_us != 0 ? &argument : nullptr, min_wait_us != 0 ? sizeof argument : 0);
  ++enters_;
  // These say "look at the completions and come again".
  if (result < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY && errno != ETIME)
    throw_errno("io_uring_enter", errno);
}

BufferRing::BufferRing(RawRing& ring, unsigned count, unsigned size, bool incremental)
    : count_(count),
      size_(size),
      entries_(count * sizeof(io_uring_buf), -1, 0),
      data_(std::size_t{count} * size, -1, 0) {
  if (count == 0 || count > 32'768 || (count & (count - 1)) != 0)
    throw std::invalid_argument("the number of buffers must be a power of two up to 32768");
  io_uring_buf_reg request{};
  request.ring_addr = reinterpret_cast<std::uintptr_t>(entries_.data());
  request.ring_entries = count;
  request.pad = incremental ? kBufferRingIncremental : 0;  // `flags` in newer headers
  checked_register(ring.fd(), IORING_REGISTER_PBUF_RING, &request, 1, "registering the buffer ring");
  for (unsigned id = 0; id < count; ++id) put_back(id);
  commit();
}

void BufferRing::put_back(unsigned id) {
  auto* ring = entries_.at<io_uring_buf_ring>(0);
  io_uring_buf_ring_add(ring, data_.data() + std::size_t{id} * size_, size_, static_cast<unsigned short>(id),
                        static_cast<int>(count_ - 1), static_cast<int>(returned_++));
}

void BufferRing::put_back_bundle(std::size_t bytes) {
  auto* ring = entries_.at<io_uring_buf_ring>(0);
  for (std::size_t filled = 0; filled < bytes; filled += size_)
    put_back(ring->bufs[head_++ & (count_ - 1)].bid);
}

void BufferRing::commit() {
  if (returned_ == 0) return;
  io_uring_buf_ring_advance(entries_.at<io_uring_buf_ring>(0), static_cast<int>(returned_));
  returned_ = 0;
}

}  // namespace bench
