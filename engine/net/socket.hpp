// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/shared_bytes.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/task.hpp>

#include "engine/net/address.hpp"
#include "engine/net/fd.hpp"
#include "engine/net/file_transfer.hpp"
#include "engine/net/gathering.hpp"
#include "engine/net/receive_budget.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/loop.hpp"

namespace sluice::net {

class TlsSession;

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
  ring::Lease lease = {};  ///< the bytes, when the status is ok
  /// Instead of a lease: so many bytes were discarded. May come after a discard() that was given up.
  std::uint64_t discarded_bytes = 0;
};

/// A stream socket on a loop: connect, one reader, one writer. With start_tls() it is the same stream under
/// TLS: what is read and written is plaintext, what is counted are the bytes on the wire.
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

  /// Who makes a series of writes; told when the socket goes before end_writes(), with its shard for example.
  class WriterOfSeries {
   public:
    virtual void socket_goes() noexcept = 0;

   protected:
    ~WriterOfSeries() = default;
  };

  /// A socket that is not connected yet. The budget must outlive the pointer.
  static Pointer make(ring::Loop& loop, ReceiveBudget& budget);
  /// A connected socket, from accept(2); receiving starts.
  static Pointer adopt(ring::Loop& loop, ReceiveBudget& budget, Fd fd);

  /// Connects. On timed_out or failed the socket can only be dropped.
  Task<SocketStatus> connect(Address address, TimePoint deadline);
  /// Begins TLS on a connected socket that nobody has read or written, and shakes hands. On timed_out or
  /// failed the socket can only be dropped.
  Task<SocketStatus> start_tls(std::unique_ptr<TlsSession> session, TimePoint deadline);
  /// None: the socket is a plain one.
  const TlsSession* tls() const noexcept { return tls_.get(); }

  /// Starts to send `head`, then `body`; requires that nothing is being sent. Times out when the peer has
  /// taken nothing for `timeout`, from `now` on.
  void write(detail::String head, detail::SharedBytes body, Duration timeout, TimePoint now = Clock::now());
  /// The same for `before`, then `bytes`, then `behind`, which must outlive the socket.
  void write(detail::String before, ring::Lease bytes, std::string_view behind, Duration timeout);
  /// The same for a whole file. Waiting for the disk does not count as the peer's time.
  void write(File file, Duration timeout);
  /// Ends a write early: its completion is awaited, nothing more is sent. write_error() is ECANCELED then.
  void stop_writing();
  /// Between these two, writes belong together: the time for reading starts when the last one is done, and no
  /// time runs between one and the next.
  void begin_writes(WriterOfSeries& writer) noexcept {
    more_to_write_ = true;
    writer_of_series_ = &writer;
  }
  void end_writes();
  bool writing() const noexcept { return writing_; }
  /// errno of the write that failed, 0 if none did. A peer may still answer then, so reading goes on.
  int write_error() const noexcept { return write_error_; }
  /// errno of the file that could not be read, ENODATA if it became shorter; 0 if none did. Part of the write
  /// is missing then.
  int file_error() const noexcept { return file_error_; }
  /// The socket is of no more use: broken, timed out or aborted.
  bool failed() const noexcept { return failure_ != SocketStatus::ok; }
  /// Waits until nothing is being sent, or sending failed.
  detail::WaitPoint::Awaiter wait_for_write() noexcept { return write_point_.wait(); }

  /// Gives a ReadOutcome.
  class [[nodiscard]] ReadAwaiter {
   public:
    ReadAwaiter(Socket& socket, Duration timeout, std::uint64_t expected_bytes,
                std::uint64_t discard_bytes) noexcept
        : socket_(&socket),
          timeout_(timeout),
          expected_bytes_(expected_bytes),
          discard_bytes_(discard_bytes),
          wait_(socket.read_point_.wait()) {}
    ReadAwaiter(const ReadAwaiter&) = delete;
    ReadAwaiter& operator=(const ReadAwaiter&) = delete;
    ~ReadAwaiter() { stop_waiting(); }

    bool await_ready() const noexcept { return socket_->stirred(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> reader) {
      wait_.await_suspend(reader);
      socket_->reading_ = this;
      socket_->reader_waits(timeout_, expected_bytes_, discard_bytes_);
    }
    ReadOutcome await_resume() {
      stop_waiting();
      wait_.await_resume();
      return socket_ != nullptr ? socket_->take_input() : ReadOutcome{SocketStatus::failed};
    }

   private:
    friend class Socket;
    void stop_waiting() noexcept {
      bool waits = socket_ != nullptr && socket_->reading_ == this;
      if (waits) socket_->reader_left();
    }

    Socket* socket_;  // none once it has retired
    Duration timeout_;
    std::uint64_t expected_bytes_;
    std::uint64_t discard_bytes_;
    detail::WaitPoint::Awaiter wait_;
  };
  /// Waits for bytes, FIN, an error, or until `timeout` has passed; while a write is under way, its deadline
  /// counts and the time for reading starts when it is done. `expected_bytes`: that will certainly come, if
  /// the reader wants all of them; see Gathering.
  ReadAwaiter read(Duration timeout, std::uint64_t expected_bytes = 0) noexcept {
    return ReadAwaiter(*this, timeout, expected_bytes, 0);
  }
  /// Has the kernel throw away the next `bytes` bytes, which costs no copy, and waits until it has; `timeout`
  /// is that of each piece. What was received before comes first, as with read(), and then less is to be
  /// discarded. Requires can_discard().
  ReadAwaiter discard(std::uint64_t bytes, Duration timeout) noexcept {
    return ReadAwaiter(*this, timeout, bytes, bytes);
  }
  /// A task is in read() or discard(): it waits, or has been woken and has not run yet.
  bool has_reader() const noexcept { return reading_ != nullptr; }
  bool can_discard() const noexcept { return tcp_ && tls_ == nullptr; }
  /// The bytes that were read last have been used up: they no longer count in the budget. So does the next
  /// read().
  void input_used_up() noexcept { uncharge(std::exchange(handed_out_bytes_, 0)); }

  /// Bytes or FIN are there that nobody has read, or the socket has failed.
  bool stirred() const noexcept {
    return !received_.empty() || discarded_bytes_ != 0 || ended_ || failure_ != SocketStatus::ok;
  }
  void watch_idle(IdleWatcher* watcher);

  /// Breaks the socket under its user: reading and writing end as failed with ECANCELED.
  void abort();
  /// Has the peer see a reset instead of an end (TCP; nothing happens to a unix socket). What has not reached
  /// it yet is lost.
  void reset();

  int system_code() const noexcept { return system_code_; }
  /// Why the socket failed, in words.
  std::string failure_text() const;
  /// The peer's bytes have ended without close_notify: somebody else may have cut them short.
  bool truncated() const noexcept;
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
  struct BudgetMember : ReceiveBudget::Member {
    BudgetMember(Socket& owner, Function function) noexcept : Member(function), socket(&owner) {}
    Socket* socket;
  };
  struct FullCheck : detail::ReadyNode {
    FullCheck(Socket& owner, Function function) noexcept : ReadyNode(function), socket(&owner) {}
    Socket* socket;
  };
  struct Deadline : detail::Timer {
    Deadline(Socket& owner, Function function) noexcept : Timer(function), socket(&owner) {}
    Socket* socket;
    TimePoint scheduled = kNever;
  };

  /// What the receive in flight does.
  enum class Burst : std::uint8_t { one_buffer, many_buffers };
  enum class Receiving : std::uint8_t { multishot, once, discarding };

  Socket(ring::Loop& loop, ReceiveBudget& budget, Fd fd);
  ~Socket();

  void leave_users() noexcept;
  void retire();
  void free_if_quiet();

  void connected(ring::Completion completion);
  void sent(ring::Completion completion);
  void received(ring::Completion completion);
  void take_lease(ring::Completion completion);
  void stream_ended();
  void count_discarded(std::uint64_t bytes);
  void receive_ended(int result);

  bool open(int family);
  void start_receiving(Burst burst);
  bool may_receive();
  void resume_receiving();
  void buffers_are_back();
  void stop_receiving_if_full();
  void stop_receiving();
  void start_to_discard();
  void continue_if_drained();
  void drop_received() noexcept;
  void uncharge(std::uint64_t bytes) noexcept;
  void begin_write(Duration timeout, TimePoint now);
  void send_rest();
  void part_sent(int result);
  void continue_file();
  void file_step_done(int result);
  void end_write(int error);
  void start_read_clock();
  void fail(SocketStatus status, int code);
  void stir();

  // Under TLS: socket_tls.cpp.
  void take_records(const ring::Lease& records);
  void tls_progressed();
  void end_handshake();
  void send_records();
  void records_sent(int result);
  void send_last_words() noexcept;

  void reader_waits(Duration timeout, std::uint64_t expected_bytes, std::uint64_t discard_bytes);
  void reader_left() noexcept;

  void start_write_clock(TimePoint now);
  void note_write_progress(TimePoint now);
  void schedule(TimePoint deadline);
  void deadline_passed();

  ReadOutcome take_input();

  ring::Loop* loop_;
  ReceiveBudget* budget_;  // none once the socket retires
  Fd fd_;
  SocketOperation connect_;  // also carries sends: a socket never does both at once
  SocketOperation receive_;
  Starved starved_;
  BudgetMember budget_member_;
  FullCheck full_check_;
  Deadline deadline_;
  ReadAwaiter* reading_ = nullptr;
  WriterOfSeries* writer_of_series_ = nullptr;
  detail::WaitPoint read_point_;
  detail::WaitPoint write_point_;
  ring::LeaseQueue received_;
  Gathering gathering_;
  IdleWatcher* idle_watcher_ = nullptr;

  Address address_;
  detail::String head_;
  detail::SharedBytes body_;
  ring::Lease chunk_;
  std::unique_ptr<FileTransfer> transfer_;
  std::unique_ptr<TlsSession> tls_;
  std::array<std::span<const char>, 3> unsent_{};
  std::array<iovec, 3> parts_{};
  msghdr message_{};

  TimePoint write_deadline_ = kNever;  // of connecting, too
  Duration write_timeout_ = Duration::max();
  TimePoint read_deadline_ = kNever;  // of the reader that waits
  Duration read_timeout_ = Duration::max();
  std::uint64_t discard_wanted_bytes_ = 0;  // by the reader that waits
  std::uint64_t discarded_bytes_ = 0;       // that no reader knows of yet
  std::uint64_t handed_out_bytes_ = 0;      // by the last read; still charged
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  int unacknowledged_bytes_ = -1;  // in the kernel's queue when last looked at
  int system_code_ = 0;
  int write_error_ = 0;
  int file_error_ = 0;
  SocketStatus failure_ = SocketStatus::ok;
  Receiving receiving_ = Receiving::multishot;
  bool tcp_ = false;  // and so the kernel can gather and throw away
  bool connecting_ = false;
  bool shaking_hands_ = false;
  bool writing_ = false;
  bool more_to_write_ = false;
  bool stopping_ = false;       // the write that is in flight shall be the last
  bool expects_reply_ = false;  // the reader that waits does, and not the rest of a body
  bool ended_ = false;
  bool paused_ = false;  // receiving was stopped because too many bytes are unread
  bool retiring_ = false;
};

}  // namespace sluice::net
