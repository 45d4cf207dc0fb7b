// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include <sluice/result.hpp>

#include "engine/ring/ring.hpp"

namespace sluice::ring {

/// A message to a shard: a value that is delivered on the shard's thread.
class Message {
 public:
  virtual ~Message() = default;
  /// Must not throw: nobody could take the exception.
  virtual void deliver() noexcept = 0;

 private:
  friend class Mailbox;
  Message* next_ = nullptr;
};

/// How other shards and foreign threads reach a shard. post() is lock-free and wakes the shard only if it
/// sleeps. An eventfd does the waking for both kinds of senders: one mechanism, and ring messages between
/// shards measured no faster (docs/decisions/0002).
///
/// The sleep protocol: the shard announces that it will sleep, then looks for messages once more; a sender
/// leaves its message, then looks whether sleep was announced. Both steps are sequentially consistent, so one
/// of them sees the other and no message waits for an unrelated event.
class Mailbox {
 public:
  Mailbox() : wake_up_(&Mailbox::woken) {}
  ~Mailbox();

  /// Makes the eventfd. Errors: system_error.
  Result<void> open();
  /// Keeps a read of the eventfd in flight from now on.
  void watch(Ring& ring);
  /// No message is accepted from now on; the read is cancelled.
  void close(Ring& ring);

  /// Any thread. False, and the message is destroyed, when the shard is shutting down.
  bool post(std::unique_ptr<Message> message);
  /// Any thread. Ends the shard's sleep, if it sleeps.
  void wake();

  /// Delivers what has arrived, in the order of posting per sender; returns how many.
  unsigned deliver();
  /// Whether the shard may sleep: announces it, then looks for messages once more.
  bool try_sleep();
  void awake() { asleep_.store(false, std::memory_order_relaxed); }

 private:
  struct WakeUp : Operation {
    using Operation::Operation;
    Mailbox* mailbox = nullptr;
    std::uint64_t count = 0;  // the kernel reads the eventfd into it
  };
  static void woken(Operation& operation, Completion completion);
  static Message* in_order(Message* newest);
  void read_event();

  std::atomic<Message*> newest_{nullptr};
  std::atomic<bool> asleep_{false};
  std::atomic<bool> closed_{false};
  int event_fd_ = -1;
  Ring* ring_ = nullptr;
  WakeUp wake_up_;
};

}  // namespace sluice::ring
