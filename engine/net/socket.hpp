// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include <sys/uio.h>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/task.hpp>

#include "engine/net/address.hpp"
#include "engine/net/fd.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/loop.hpp"

namespace sluice::net {

/// Time without end, for deadlines.
inline constexpr TimePoint kNever = TimePoint::max();
/// A point in time that may be never.
constexpr TimePoint after(TimePoint start, Duration duration) {
  return duration >= kNever - start ? kNever : start + duration;
}

/// What became of a connect or of reading.
enum class SocketStatus : std::uint8_t {
  ok,         ///< connected; or bytes were read
  end,        ///< the peer sent FIN, all its bytes have been read
  timed_out,  ///< the deadline of the phase that was under way passed
  failed,     ///< see Socket::system_code()
};

struct ReadOutcome {
  SocketStatus status = SocketStatus::end;
  ring::Lease lease;  ///< the bytes, when the status is ok
};

/// A stream socket on a loop: connect, one reader, one writer.
///
/// Ownership: the object owns every byte that the kernel may touch for it. Its owner holds a Socket::Pointer;
/// letting go of it retires the socket: what is in flight is ended by shutdown(2), and once the last
/// completion has arrived the descriptor is closed and the object frees itself. Coroutines only wait at it
/// and may be destroyed at any time.
class Socket : public detail::Recycled {
 public:
  struct Retire {
    void operator()(Socket* socket) const { socket->retire(); }
  };
  using Pointer = std::unique_ptr<Socket, Retire>;

  /// Told when anything at all happens on a socket that nobody uses: bytes, FIN or an error. The last thing
  /// the socket does in that turn, so the watcher may let go of it.
  class IdleWatcher {
   public:
    virtual void idle_socket_stirred() = 0;

   protected:
    ~IdleWatcher() = default;
  };

  /// A socket that is not connected yet.
  static Pointer make(ring::Loop& loop);
  /// A connected socket, from accept(2); receiving starts.
  static Pointer adopt(ring::Loop& loop, Fd fd);

  /// Connects. On timed_out or failed the socket can only be dropped.
  Task<SocketStatus> connect(Address address, TimePoint deadline);

  /// Starts to send `head`, then `body`; requires that nothing is being sent. Times out when the peer has
  /// taken nothing for `timeout`, from `now` on.
  void write(detail::String head, detail::SharedBytes body, Duration timeout, TimePoint now = Clock::now());
  bool writing() const noexcept { return writing_; }
  /// errno of the write that failed, 0 if none did. A peer may still answer then, so reading goes on.
  int write_error() const noexcept { return write_error_; }
  /// Waits until nothing is being sent, or sending failed.
  detail::WaitPoint::Awaiter wait_for_write() noexcept { return write_point_.wait(); }

  /// Gives a ReadOutcome.
  class [[nodiscard]] ReadAwaiter {
   public:
    ReadAwaiter(Socket& socket, Duration timeout) noexcept
        : socket_(&socket), timeout_(timeout), wait_(socket.read_point_.wait()) {}
    ReadAwaiter(const ReadAwaiter&) = delete;
    ReadAwaiter& operator=(const ReadAwaiter&) = delete;
    ~ReadAwaiter() { stop_waiting(); }

    bool await_ready() const noexcept { return socket_->stirred(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> reader) {
      wait_.await_suspend(reader);
      waiting_ = true;
      socket_->reader_waits(timeout_);
    }
    ReadOutcome await_resume() {
      stop_waiting();
      wait_.await_resume();
      return socket_->take_input();
    }

   private:
    void stop_waiting() noexcept {
      if (std::exchange(waiting_, false)) socket_->reader_left();
    }

    Socket* socket_;
    Duration timeout_;
    detail::WaitPoint::Awaiter wait_;
    bool waiting_ = false;
  };
  /// Waits for bytes, FIN, an error, or until `timeout` has passed; while a write is under way, its deadline
  /// counts and the time for reading starts when it is done.
  ReadAwaiter read(Duration timeout) noexcept { return ReadAwaiter(*this, timeout); }

  /// Bytes or FIN are there that nobody has read, or the socket has failed.
  bool stirred() const noexcept { return !received_.empty() || ended_ || failure_ != SocketStatus::ok; }
  void watch_idle(IdleWatcher* watcher) noexcept { idle_watcher_ = watcher; }

  /// Breaks the socket under its user: reading and writing end as failed with ECANCELED.
  void abort();

  int system_code() const noexcept { return system_code_; }
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  /// The address that was connected to, as text; empty for an accepted socket.
  std::string peer() const { return address_.str(); }
  ring::Loop& loop() noexcept { return *loop_; }

 private:
  struct SocketOperation : ring::Operation {
    SocketOperation(Socket& owner, Handler handler) noexcept : Operation(handler), socket(&owner) {}
    Socket* socket;
  };
  struct Starved : ring::StarvedReceiver {
    Starved(Socket& owner, Function function) noexcept : StarvedReceiver(function), socket(&owner) {}
    Socket* socket;
  };
  struct Deadline : detail::Timer {
    Deadline(Socket& owner, Function function) noexcept : Timer(function), socket(&owner) {}
    Socket* socket;
    TimePoint scheduled = kNever;
  };

  Socket(ring::Loop& loop, Fd fd);
  ~Socket();

  void retire();
  void free_if_quiet();

  void connected(ring::Completion completion);
  void sent(ring::Completion completion);
  void received(ring::Completion completion);
  void receive_ended(int result);

  bool open(int family);
  void start_receiving();
  void resume_receiving();
  void stop_receiving_if_full();
  void send_rest();
  void end_write(int error);
  void fail(SocketStatus status, int code);
  void stir();
  void reader_waits(Duration timeout);
  void reader_left() noexcept;

  void schedule(TimePoint deadline);
  void deadline_passed();

  ReadOutcome take_input();

  ring::Loop* loop_;
  Fd fd_;
  SocketOperation connect_;  // also carries sends: a socket never does both at once
  SocketOperation receive_;
  Starved starved_;
  Deadline deadline_;
  detail::WaitPoint read_point_;
  detail::WaitPoint write_point_;
  ring::LeaseQueue received_;
  IdleWatcher* idle_watcher_ = nullptr;

  Address address_;
  detail::String head_;
  detail::SharedBytes body_;
  std::size_t write_offset_ = 0;
  std::array<iovec, 2> parts_{};
  msghdr message_{};

  TimePoint write_deadline_ = kNever;  // of connecting, too
  Duration write_timeout_ = Duration::max();
  TimePoint read_deadline_ = kNever;  // of the reader that waits
  Duration read_timeout_ = Duration::max();
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  int system_code_ = 0;
  int write_error_ = 0;
  SocketStatus failure_ = SocketStatus::ok;
  bool connecting_ = false;
  bool writing_ = false;
  bool ended_ = false;
  bool paused_ = false;  // receiving was stopped because too many bytes are unread
  bool retiring_ = false;
};

}  // namespace sluice::net
