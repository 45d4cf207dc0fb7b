// SPDX-License-Identifier: MIT
#include "engine/ring/ring.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <poll.h>

#include "engine/base/system_error.hpp"

namespace sluice::ring {
namespace {

// user_data = generation (16 bits) | address of the operation (48 bits). Zero marks entries nobody waits for.
constexpr unsigned kGenerationShift = 48;
constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << kGenerationShift) - 1;

constexpr unsigned kSetupFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                                 IORING_SETUP_CLAMP;

// Multishot operations complete without an entry being submitted, so the completion queue is much the larger.
constexpr unsigned kCompletionsPerEntry = 16;

constexpr unsigned kMaxEntries = 32768;  // the kernel's limit

std::uint64_t user_data_of(const Operation& operation, std::uint16_t generation) {
  return reinterpret_cast<std::uint64_t>(&operation) | (std::uint64_t{generation} << kGenerationShift);
}

std::string setup_failure(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring; sluice needs Linux 6.1 or newer";
    case EPERM:
    case EACCES:
      return "io_uring is not permitted here: set the sysctl kernel.io_uring_disabled to 0, and in a "
             "container "
             "allow the io_uring system calls in its seccomp profile";
    case EINVAL:
      return "this kernel's io_uring is too old (no deferred task work); sluice needs Linux 6.1 or newer";
    case ENOMEM:
      return "not enough locked memory for io_uring: raise the limit (ulimit -l) or make the ring smaller";
    case EMFILE:
    case ENFILE:
      return "no file descriptor is left for io_uring: raise the limit (ulimit -n)";
    default:
      return std::string("io_uring cannot be set up: ") + std::strerror(error);
  }
}

}  // namespace

Result<void> Ring::open(unsigned entries) {
  if (entries == 0 || entries > kMaxEntries)
    return base::system_error(EINVAL, "ring_entries must be 1 to " + std::to_string(kMaxEntries));
  io_uring_params parameters{};
  parameters.flags = kSetupFlags;
  parameters.cq_entries = entries * kCompletionsPerEntry;
  int error = -io_uring_queue_init_params(entries, &ring_, &parameters);
  if (error != 0) return base::system_error(error, setup_failure(error));
  open_ = true;
  has_minimum_wait_ = (parameters.features & abi::kFeatureMinimumWait) != 0;
  registered_ = io_uring_register_ring_fd(&ring_) == 1;  // saves a descriptor look-up in each enter; optional
  return {};
}

void Ring::close() {
  if (!open_) return;
  base::check(in_flight() == 0, "a ring was closed with operations in flight");
  io_uring_queue_exit(&ring_);
  open_ = false;
}

io_uring_sqe& Ring::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {  // the queue is full: normal under load
    enter(publish_entries(), Wait{});
    entry = io_uring_get_sqe(&ring_);
  }
  return *entry;
}

io_uring_sqe& Ring::start(Operation& operation) {
  base::check(!operation.in_flight_, "an operation was started twice");
  io_uring_sqe& entry = next_entry();
  operation.in_flight_ = true;
  ++operation.generation_;
  ++counters_.started;
  entry.user_data = user_data_of(operation, operation.generation_);
  return entry;
}

void Ring::receive_multishot(Operation& operation, int fd, std::uint16_t buffer_group) {
  io_uring_sqe& entry = start(operation);
  io_uring_prep_recv_multishot(&entry, fd, nullptr, 0, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = buffer_group;
}

void Ring::receive_once(Operation& operation, int fd, std::uint16_t buffer_group, std::uint32_t most) {
  io_uring_sqe& entry = start(operation);
  io_uring_prep_recv(&entry, fd, nullptr, most, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = buffer_group;
}

void Ring::receive_discarding(Operation& operation, int fd, std::uint32_t most) {
  io_uring_sqe& entry = start(operation);
  io_uring_prep_recv(&entry, fd, nullptr, most, MSG_TRUNC);
  // What is there already may be little: the low water mark is for the kernel's poll, not for a receive.
  entry.ioprio |= IORING_RECVSEND_POLL_FIRST;
}

void Ring::send(Operation& operation, int fd, std::span<const char> bytes) {
  io_uring_prep_send(&start(operation), fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ++fresh_sends_;
}

void Ring::send_message(Operation& operation, int fd, const msghdr& message) {
  io_uring_prep_sendmsg(&start(operation), fd, &message, MSG_NOSIGNAL);
  ++fresh_sends_;
}

void Ring::connect(Operation& operation, int fd, const sockaddr& address, socklen_t size) {
  io_uring_prep_connect(&start(operation), fd, &address, size);
}

void Ring::accept_multishot(Operation& operation, int fd) {
  io_uring_prep_multishot_accept(&start(operation), fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void Ring::read(Operation& operation, int fd, std::span<char> bytes, std::uint64_t offset) {
  io_uring_prep_read(&start(operation), fd, bytes.data(), static_cast<unsigned>(bytes.size()), offset);
}

void Ring::await_writable(Operation& operation, int fd) {
  io_uring_prep_poll_add(&start(operation), fd, POLLOUT);
}

void Ring::cancel(const Operation& operation) {
  if (!operation.in_flight_) return;
  // Entries are taken in order and a cancel runs while it is submitted, so it can only meet the start of the
  // operation that is in flight now; a later start has another generation and comes after it.
  io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel64(&entry, user_data_of(operation, operation.generation_), 0);
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = 0;
}

unsigned Ring::publish_entries() {
  io_uring_sq& queue = ring_.sq;
  unsigned tail = *queue.ktail;
  while (queue.sqe_head != queue.sqe_tail) {
    queue.array[tail & queue.ring_mask] = queue.sqe_head & queue.ring_mask;
    ++tail;
    ++queue.sqe_head;
  }
  // Release: the kernel must see the entries before the tail that covers them.
  io_uring_smp_store_release(queue.ktail, tail);
  return tail - io_uring_smp_load_acquire(queue.khead);
}

void Ring::enter(unsigned to_submit, const Wait& wait) {
  __kernel_timespec timeout{};
  abi::GetEventsArg argument{};
  if (wait.completions != 0 && wait.timeout) {
    timeout.tv_sec = wait.timeout->count() / 1'000'000'000;
    timeout.tv_nsec = wait.timeout->count() % 1'000'000'000;
    argument.timeout = reinterpret_cast<std::uint64_t>(&timeout);
  }
  if (has_minimum_wait_) argument.minimum_wait_microseconds = static_cast<__u32>(wait.batch.count());
  unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if (registered_) flags |= IORING_ENTER_REGISTERED_RING;
  int fd = registered_ ? ring_.enter_ring_fd : ring_.ring_fd;
  int result = io_uring_enter2(static_cast<unsigned>(fd), to_submit, wait.completions, flags,
                               reinterpret_cast<sigset_t*>(&argument), sizeof(argument));
  ++counters_.enters;
  // ETIME: the wait ran out. EINTR: a signal. EAGAIN, EBUSY: completions must be reaped before more is taken.
  bool expected =
      result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY;
  if (!expected) [[unlikely]] {
    std::string what = std::string("io_uring_enter failed: ") + std::strerror(-result);
    base::check_failed(what.c_str(), __FILE__, __LINE__);
  }
}

void Ring::submit_and_wait(const Wait& wait) {
  unsigned to_submit = publish_entries();
  fresh_sends_ = 0;
  enter(to_submit, wait);
  if ((*ring_.sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0) ++counters_.overflows;
}

bool Ring::has_completions() const {
  return io_uring_cq_ready(&ring_) != 0;
}

unsigned Ring::reap(unsigned budget) {
  unsigned count = 0;
  for (; count < budget; ++count) {
    unsigned head = *ring_.cq.khead;
    if (head == io_uring_smp_load_acquire(ring_.cq.ktail)) break;
    const io_uring_cqe& entry = ring_.cq.cqes[head & ring_.cq.ring_mask];
    std::uint64_t user_data = entry.user_data;
    std::int32_t result = entry.res;
    std::uint32_t flags = entry.flags;
    io_uring_cq_advance(&ring_, 1);  // copy, advance, then act: a handler may start operations
    dispatch(user_data, result, flags);
  }
  return count;
}

void Ring::dispatch(std::uint64_t user_data, std::int32_t result, std::uint32_t flags) {
  if (user_data == 0) return;  // a cancel that found nothing to cancel
  auto& operation = *reinterpret_cast<Operation*>(user_data & kAddressMask);
  base::check(operation.in_flight_ && operation.generation_ == user_data >> kGenerationShift,
              "a completion arrived for an operation that is not in flight");
  Completion completion{result, (flags & IORING_CQE_F_MORE) != 0, (flags & IORING_CQE_F_BUFFER) != 0,
                        static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT)};
  if (!completion.more) {
    operation.in_flight_ = false;
    ++counters_.finished;
  }
  operation.handler_(operation, completion);
}

}  // namespace sluice::ring
