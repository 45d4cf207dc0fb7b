// SPDX-License-Identifier: MIT
#include "engine/ring/mailbox.hpp"

#include <cerrno>
#include <cstring>

#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/system_error.hpp"

namespace sluice::ring {
Mailbox::~Mailbox() {
  for (Message* message = newest_.exchange(nullptr); message != nullptr;) {
    std::unique_ptr<Message> owned(message);
    message = message->next_;
  }
  if (event_fd_ >= 0) ::close(event_fd_);
}

Result<void> Mailbox::open() {
  event_fd_ = eventfd(0, EFD_CLOEXEC);
  if (event_fd_ >= 0) return {};
  int code = errno;
  bool none_left = code == EMFILE || code == ENFILE;
  return base::system_error(
      code, none_left ? "no file descriptor is left for an eventfd: raise the limit (ulimit -n)"
                      : std::string("eventfd: ") + std::strerror(code));
}

void Mailbox::watch(Ring& ring) {
  ring_ = &ring;
  wake_up_.mailbox = this;
  read_event();
}

void Mailbox::close(Ring& ring) {
  closed_.store(true);
  ring.cancel(wake_up_);
}

void Mailbox::read_event() {
  ring_->read(wake_up_, event_fd_, {reinterpret_cast<char*>(&wake_up_.count), sizeof(wake_up_.count)});
}

void Mailbox::woken(Operation& operation, Completion) {
  Mailbox& mailbox = *static_cast<WakeUp&>(operation).mailbox;
  if (!mailbox.closed_.load()) mailbox.read_event();
}

bool Mailbox::post(std::unique_ptr<Message> message) {
  if (closed_.load()) return false;
  Message* added = message.release();
  added->next_ = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(added->next_, added)) {
  }
  wake();
  return true;
}

void Mailbox::wake() {
  if (!asleep_.exchange(false)) return;
  std::uint64_t one = 1;
  // The counter cannot overflow (the shard resets it each time it wakes), so the write cannot fail.
  [[maybe_unused]] ssize_t written = write(event_fd_, &one, sizeof(one));
}

Message* Mailbox::in_order(Message* newest) {
  Message* oldest = nullptr;
  while (newest != nullptr) {
    Message* older = std::exchange(newest->next_, oldest);
    oldest = std::exchange(newest, older);
  }
  return oldest;
}

unsigned Mailbox::deliver() {
  if (newest_.load(std::memory_order_relaxed) == nullptr) return 0;
  Message* message = in_order(newest_.exchange(nullptr));
  unsigned count = 0;
  while (message != nullptr) {
    std::unique_ptr<Message> owned(message);
    message = message->next_;
    owned->deliver();
    ++count;
  }
  return count;
}

bool Mailbox::try_sleep() {
  asleep_.store(true);
  if (newest_.load() == nullptr) return true;
  asleep_.store(false, std::memory_order_relaxed);
  return false;
}

}  // namespace sluice::ring
