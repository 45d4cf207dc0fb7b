// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include <sluice/detail/memory.hpp>

/// The ready list: what runs next on this thread. Coroutines are never resumed from inside each other;
/// whoever makes one runnable puts it here and the shard's loop resumes it. The stack stays flat whatever the
/// compiler does with symmetric transfer, and other tasks run only at a co_await.
namespace sluice::detail {

/// Something that can be made to run once on its shard. Intrusive; unlinks itself when destroyed, so a
/// coroutine frame that dies while it is ready simply never runs.
class ReadyNode {
 public:
  using Function = void (*)(ReadyNode&);

  explicit ReadyNode(Function run) noexcept : run_(run) {}
  ReadyNode(const ReadyNode&) = delete;
  ReadyNode& operator=(const ReadyNode&) = delete;
  ~ReadyNode() { unlink(); }

  bool queued() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!queued()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = nullptr;
    previous_ = nullptr;
  }

 private:
  friend class ReadyList;
  Function run_;
  ReadyNode* next_ = nullptr;
  ReadyNode* previous_ = nullptr;
};

/// First in, first out. Used by one thread.
class ReadyList {
 public:
  ReadyList() noexcept : head_(nullptr) { head_.next_ = head_.previous_ = &head_; }
  ~ReadyList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }

  /// A node that is already queued stays where it is.
  void push_back(ReadyNode& node) noexcept {
    if (!node.queued()) insert_before(head_, node);
  }
  /// Runs the node next, before all that is ready: for cancelling what must not run again.
  void push_front(ReadyNode& node) noexcept {
    node.unlink();
    insert_before(*head_.next_, node);
  }

  /// Runs nodes until none is left or `budget` of them have run; returns how many ran.
  std::size_t run(std::size_t budget) {
    std::size_t count = 0;
    while (count < budget && !empty()) {
      ReadyNode& node = *head_.next_;
      node.unlink();
      node.run_(node);
      ++count;
    }
    return count;
  }

 private:
  static void insert_before(ReadyNode& place, ReadyNode& node) noexcept {
    node.next_ = &place;
    node.previous_ = place.previous_;
    place.previous_->next_ = &node;
    place.previous_ = &node;
  }

  ReadyNode head_;
};

/// The list of the shard that runs on this thread; null outside of one.
extern constinit thread_local ReadyList* current_ready_list;

/// Aborts with a sentence when a coroutine is used outside of a shard.
[[noreturn]] void no_shard_on_this_thread();
/// Aborts with a sentence when a second task waits where only one may.
[[noreturn]] void two_waiters_at_one_place();

inline ReadyList& ready_list() {
  if (current_ready_list == nullptr) [[unlikely]]
    no_shard_on_this_thread();
  return *current_ready_list;
}

/// What every coroutine promise of sluice is: a ready node that resumes its coroutine, the node that waits
/// for its result, and the exception that ended it. Frames live in recycled memory.
class PromiseBase : public ReadyNode {
 public:
  static void* operator new(std::size_t bytes) { return recycled_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { recycled_free(frame, bytes); }

  /// Suspends the coroutine and makes ready whoever waits for it, who may then destroy it.
  struct WakeWaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      static_cast<PromiseBase&>(self.promise()).wake_waiter();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  WakeWaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  /// One waiter at a time. It is not told when the coroutine is destroyed, so it must own the coroutine or
  /// leave.
  void set_waiter(ReadyNode& waiter) noexcept { waiter_ = &waiter; }
  void forget_waiter(ReadyNode& waiter) noexcept {
    if (waiter_ == &waiter) waiter_ = nullptr;
  }

  /// The coroutine ended with an exception that nobody has taken.
  bool failed() const noexcept { return exception_ != nullptr; }
  std::exception_ptr take_exception() noexcept { return std::exchange(exception_, nullptr); }
  void rethrow_if_failed() {
    if (failed()) std::rethrow_exception(take_exception());
  }

 protected:
  explicit PromiseBase(std::coroutine_handle<> self) noexcept : ReadyNode(&resume), self_(self) {}

 private:
  static void resume(ReadyNode& node) { static_cast<PromiseBase&>(node).self_.resume(); }
  void wake_waiter() noexcept {
    if (ReadyNode* waiter = std::exchange(waiter_, nullptr)) ready_list().push_back(*waiter);
  }

  std::coroutine_handle<> self_;
  ReadyNode* waiter_ = nullptr;
  std::exception_ptr exception_;
};

/// A promise of sluice: only such coroutines can await sluice's awaitables.
template <class Promise>
concept SluicePromise = std::derived_from<Promise, PromiseBase>;

/// A place where at most one coroutine waits until somebody calls notify(). Whoever owns the place owns the
/// operation behind it; the waiting coroutine may be destroyed at any time (that is how it is cancelled), and
/// then the place is simply empty again. The place may go first, too: after notify() the waiter no longer
/// refers to it, and a waiter whose place is destroyed before that waits until it is cancelled.
class WaitPoint {
 public:
  class [[nodiscard]] Awaiter {
   public:
    explicit Awaiter(WaitPoint& point) noexcept : point_(&point) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (waiting_ != nullptr) point_->awaiter_ = nullptr;
    }

    bool await_ready() const noexcept { return false; }
    template <SluicePromise Promise>
    void await_suspend(std::coroutine_handle<Promise> waiter) noexcept {
      if (point_->awaiter_ != nullptr) [[unlikely]]
        two_waiters_at_one_place();
      waiting_ = &waiter.promise();
      point_->awaiter_ = this;
    }
    void await_resume() const noexcept {}

   private:
    friend class WaitPoint;
    WaitPoint* point_;
    ReadyNode* waiting_ = nullptr;
  };

  WaitPoint() = default;
  WaitPoint(const WaitPoint&) = delete;
  WaitPoint& operator=(const WaitPoint&) = delete;
  ~WaitPoint() { take_waiter(); }

  /// Suspends until the next notify(). One waiter at a time.
  Awaiter wait() noexcept { return Awaiter(*this); }
  bool has_waiter() const noexcept { return awaiter_ != nullptr; }
  void notify() noexcept {
    if (ReadyNode* waiter = take_waiter()) ready_list().push_back(*waiter);
  }

 private:
  ReadyNode* take_waiter() noexcept {
    if (awaiter_ == nullptr) return nullptr;
    return std::exchange(std::exchange(awaiter_, nullptr)->waiting_, nullptr);
  }

  Awaiter* awaiter_ = nullptr;
};

}  // namespace sluice::detail
