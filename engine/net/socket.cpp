// SPDX-License-Identifier: MIT
#include "engine/net/socket.hpp"

#include <algorithm>
#include <cerrno>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sluice::net {
namespace {

// A body up to this size is copied behind the head, so that both leave in one plain send.
constexpr std::size_t kJoinedBodyBytes = 8 * 1024;

void send_small_writes_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
             sizeof(on));  // fails on unix sockets, which need no such thing
}

}  // namespace

Socket::Socket(ring::Loop& loop, Fd fd)
    : loop_(&loop),
      fd_(std::move(fd)),
      connect_(*this,
               [](ring::Operation& operation, ring::Completion completion) {
                 Socket& socket = *static_cast<SocketOperation&>(operation).socket;
                 socket.connecting_ ? socket.connected(completion) : socket.sent(completion);
               }),
      receive_(*this,
               [](ring::Operation& operation, ring::Completion completion) {
                 static_cast<SocketOperation&>(operation).socket->received(completion);
               }),
      starved_(*this,
               [](ring::StarvedReceiver& receiver) {
                 static_cast<Starved&>(receiver).socket->resume_receiving();
               }),
      deadline_(*this,
                [](detail::Timer& timer) { static_cast<Deadline&>(timer).socket->deadline_passed(); }) {
  loop_->socket_opened();
}

Socket::~Socket() {
  loop_->socket_closed();
}

Socket::Pointer Socket::make(ring::Loop& loop) {
  return Pointer(new Socket(loop, Fd()));
}

Socket::Pointer Socket::adopt(ring::Loop& loop, Fd fd) {
  Pointer socket(new Socket(loop, std::move(fd)));
  send_small_writes_at_once(socket->fd_.number());
  socket->start_receiving();
  return socket;
}

// ---- letting go

void Socket::retire() {
  retiring_ = true;
  idle_watcher_ = nullptr;
  received_.clear();
  starved_.unlink();
  deadline_.disarm();
  if (connecting_) {
    loop_->ring().cancel(connect_);
  } else if (connect_.in_flight() || receive_.in_flight()) {
    // close(2) would neither end them nor send FIN; shutdown(2) does both, but for a receive that has just
    // found the queue empty and not yet begun to wait.
    ::shutdown(fd_.number(), SHUT_RDWR);
    loop_->ring().cancel(receive_);
  }
  free_if_quiet();
}

void Socket::free_if_quiet() {
  if (retiring_ && !connect_.in_flight() && !receive_.in_flight()) delete this;
}

void Socket::abort() {
  received_.clear();
  fail(SocketStatus::failed, ECANCELED);
  if (!connecting_) ::shutdown(fd_.number(), SHUT_RDWR);  // the peer need not wait until the user lets go
  write_point_.notify();
  stir();
}

// ---- connecting

bool Socket::open(int family) {
  fd_ = Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd_) {
    fail(SocketStatus::failed, errno);
    return false;
  }
  if (family != AF_UNIX) send_small_writes_at_once(fd_.number());
  return true;
}

Task<SocketStatus> Socket::connect(Address address, TimePoint deadline) {
  if (!open(address.family())) co_return failure_;
  address_ = address;
  connecting_ = true;
  write_deadline_ = deadline;
  schedule(deadline);
  loop_->ring().connect(connect_, fd_.number(), address_.raw(), address_.size());
  co_await write_point_.wait();
  co_return failure_;
}

void Socket::connected(ring::Completion completion) {
  connecting_ = false;
  write_deadline_ = kNever;
  if (retiring_) return free_if_quiet();
  if (failure_ == SocketStatus::ok) {
    if (completion.result < 0)
      fail(SocketStatus::failed, -completion.result);
    else
      start_receiving();
  }
  write_point_.notify();
}

// ---- writing

void Socket::write(detail::String head, detail::SharedBytes body, Duration timeout, TimePoint now) {
  base::check(!writing_, "two writes at once on a socket");
  head_ = std::move(head);
  body_ = std::move(body);
  if (!body_.empty() && body_.size() <= kJoinedBodyBytes) {
    head_.append(body_.view());
    body_ = detail::SharedBytes();
  }
  write_offset_ = 0;
  writing_ = true;
  write_timeout_ = timeout;
  write_deadline_ = after(now, timeout);
  if (failure_ != SocketStatus::ok) return end_write(EPIPE);
  schedule(write_deadline_);
  send_rest();
}

void Socket::send_rest() {
  if (body_.empty()) {
    loop_->ring().send(connect_, fd_.number(), std::span<const char>(head_).subspan(write_offset_));
    return;
  }
  std::size_t head_rest = head_.size() - std::min(write_offset_, head_.size());
  std::size_t body_offset = write_offset_ - (head_.size() - head_rest);
  parts_[0] = {head_.data() + (head_.size() - head_rest), head_rest};
  parts_[1] = {const_cast<char*>(body_.view().data()) + body_offset, body_.size() - body_offset};
  message_ = {};
  message_.msg_iov = parts_.data();
  message_.msg_iovlen = parts_.size();
  loop_->ring().send_message(connect_, fd_.number(), message_);
}

void Socket::sent(ring::Completion completion) {
  if (retiring_) return free_if_quiet();
  int result = completion.result;
  if (result < 0 && result != -EINTR && result != -EAGAIN) return end_write(-result);
  auto count = static_cast<std::size_t>(std::max(result, 0));
  bytes_sent_ += count;
  write_offset_ += count;
  if (write_offset_ < head_.size() + body_.size()) {
    if (count > 0) write_deadline_ = after(loop_->now(), write_timeout_);
    return send_rest();
  }
  end_write(0);
}

void Socket::end_write(int error) {
  head_ = detail::String();
  body_ = detail::SharedBytes();
  writing_ = false;
  write_error_ = error;
  write_deadline_ = kNever;
  if (read_point_.has_waiter()) {
    read_deadline_ = after(loop_->now(), read_timeout_);
    schedule(read_deadline_);
  }
  write_point_.notify();
}

// ---- reading

void Socket::start_receiving() {
  loop_->ring().receive_multishot(receive_, fd_.number(), loop_->buffers().group());
}

void Socket::resume_receiving() {
  bool wanted = !paused_ && !ended_ && !retiring_;
  if (wanted && !receive_.in_flight() && !starved_.linked()) start_receiving();
}

void Socket::received(ring::Completion completion) {
  if (completion.result > 0) {
    ring::Lease lease =
        loop_->buffers().take(completion.buffer_id, static_cast<std::uint32_t>(completion.result));
    if (retiring_ || failure_ != SocketStatus::ok) {
      lease.drop();  // a reader that was told of the failure must not read on behind a gap
    } else {
      bytes_received_ += static_cast<std::uint64_t>(completion.result);
      received_.push_back(std::move(lease));
    }
  } else if (completion.has_buffer) {
    loop_->buffers().give_back(completion.buffer_id);
  }
  if (retiring_) return free_if_quiet();
  if (completion.more)
    stop_receiving_if_full();
  else
    receive_ended(completion.result);
  if (completion.result > 0 || stirred()) stir();
}

/// The multishot receive is over; decides whether and when there will be another.
void Socket::receive_ended(int result) {
  if (result == -ENOBUFS) return loop_->buffers().wait_for_buffers(starved_);
  if (result == 0) {
    ended_ = true;
  } else if (result > 0 || result == -ECANCELED || result == -EINTR || result == -EAGAIN) {
    resume_receiving();  // unless it was stopped on purpose
  } else {
    fail(SocketStatus::failed, -result);
  }
}

void Socket::stop_receiving_if_full() {
  if (paused_ || received_.bytes() < loop_->options().receive_high_water_bytes) return;
  paused_ = true;
  loop_->ring().cancel(receive_);
}

ReadOutcome Socket::take_input() {
  if (!received_.empty()) {
    ReadOutcome outcome{SocketStatus::ok, received_.pop_front()};
    bool drained = received_.bytes() <= loop_->options().receive_high_water_bytes / 2;
    if (paused_ && drained) {
      paused_ = false;
      resume_receiving();
    }
    return outcome;
  }
  return {failure_ != SocketStatus::ok ? failure_ : SocketStatus::end, ring::Lease()};
}

void Socket::reader_waits(Duration timeout) {
  loop_->receiver_waits();
  read_timeout_ = timeout;
  if (writing_) return;  // the clock for reading starts when writing is done
  read_deadline_ = after(Clock::now(), timeout);
  schedule(read_deadline_);
}

void Socket::reader_left() noexcept {
  loop_->receiver_served();
  read_deadline_ = kNever;
}

// ---- events and deadlines

void Socket::fail(SocketStatus status, int code) {
  if (failure_ == SocketStatus::ok) {
    failure_ = status;
    system_code_ = code;
  }
}

void Socket::stir() {
  read_point_.notify();
  if (idle_watcher_ != nullptr) idle_watcher_->idle_socket_stirred();
}

void Socket::schedule(TimePoint deadline) {
  // Deadlines mostly move away, a request at a time. The timer stays where it is and looks again when it
  // expires.
  if (deadline == kNever || (deadline_.armed() && deadline_.scheduled <= deadline)) return;
  deadline_.scheduled = deadline;
  deadline_.arm(deadline);
}

void Socket::deadline_passed() {
  bool sending = connecting_ || writing_;
  // A reader that has been served is not late, even if it has not run yet.
  if (!sending && !read_point_.has_waiter()) return;
  TimePoint deadline = sending ? write_deadline_ : read_deadline_;
  if (deadline > Clock::now()) return schedule(deadline);
  fail(SocketStatus::timed_out, ETIMEDOUT);
  write_point_.notify();
  stir();
}

}  // namespace sluice::net
