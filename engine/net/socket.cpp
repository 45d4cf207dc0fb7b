// SPDX-License-Identifier: MIT
#include "engine/net/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine/net/tls_session.hpp"

namespace sluice::net {
namespace {

// A body up to this size is copied behind the head, so that both leave in one plain send.
constexpr std::size_t kJoinedBodyBytes = 8 * 1024;

// What one receive may bring to a socket while its budget is used up: a copy of it fits into a class of
// recycled memory.
constexpr std::uint32_t kFrugalReceiveBytes = 16 * 1024 - sizeof(ring::Buffer);
constexpr std::uint32_t kWholeBuffer = 0;  // as io_uring says it
constexpr std::uint64_t kLargestDiscardBytes = std::uint64_t{1} << 30;

void send_small_writes_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
             sizeof(on));  // fails on unix sockets, which need no such thing
}

}  // namespace

Socket::Socket(ring::Loop& loop, ReceiveBudget& budget, Fd fd)
    : loop_(&loop),
      budget_(&budget),
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
                 static_cast<Starved&>(receiver).socket->buffers_are_back();
               }),
      budget_member_(
          *this,
          [](ReceiveBudget::Member& member) { static_cast<BudgetMember&>(member).socket->stop_receiving(); }),
      full_check_(
          *this,
          [](detail::ReadyNode& node) { static_cast<FullCheck&>(node).socket->stop_receiving_if_full(); }),
      deadline_(*this,
                [](detail::Timer& timer) { static_cast<Deadline&>(timer).socket->deadline_passed(); }) {
  loop_->socket_opened();
  budget.join(budget_member_);
}

Socket::~Socket() {
  loop_->socket_closed();
}

Socket::Pointer Socket::make(ring::Loop& loop, ReceiveBudget& budget) {
  return Pointer(new Socket(loop, budget, Fd()));
}

Socket::Pointer Socket::adopt(ring::Loop& loop, ReceiveBudget& budget, Fd fd) {
  Pointer socket(new Socket(loop, budget, std::move(fd)));
  send_small_writes_at_once(socket->fd_.number());
  socket->start_receiving(Burst::many_buffers);
  return socket;
}

// ---- letting go

/// Frames may outlive the socket, and its shard.
void Socket::leave_users() noexcept {
  if (writer_of_series_ != nullptr) std::exchange(writer_of_series_, nullptr)->socket_goes();
  if (reading_ == nullptr) return;
  reading_->socket_ = nullptr;
  reader_left();
}

void Socket::retire() {
  leave_users();
  retiring_ = true;
  idle_watcher_ = nullptr;
  drop_received();
  budget_ = nullptr;
  budget_member_.unlink();
  full_check_.unlink();
  starved_.unlink();
  deadline_.disarm();
  if (tls_ != nullptr) send_last_words();
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
  drop_received();
  fail(SocketStatus::failed, ECANCELED);
  if (!connecting_) ::shutdown(fd_.number(), SHUT_RDWR);  // the peer need not wait until the user lets go
  write_point_.notify();
  stir();
}

void Socket::reset() {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  (void)::connect(fd_.number(), &nobody, sizeof(nobody));  // Linux: ends what was connected, with RST
}

// ---- connecting

bool Socket::open(int family) {
  fd_ = Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd_) {
    fail(SocketStatus::failed, errno);
    return false;
  }
  tcp_ = family != AF_UNIX;
  if (tcp_) {
    send_small_writes_at_once(fd_.number());
    gathering_.enable(fd_.number());
  }
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
      start_receiving(Burst::many_buffers);
  }
  write_point_.notify();
}

// ---- writing

void Socket::write(detail::String head, detail::SharedBytes body, Duration timeout, TimePoint now) {
  begin_write(timeout, now);
  head_ = std::move(head);
  body_ = std::move(body);
  if (!body_.empty() && body_.size() <= kJoinedBodyBytes) {
    head_.append(body_.view());
    body_ = detail::SharedBytes();
  }
  unsent_ = {head_, body_.view()};
  failed() ? end_write(EPIPE) : send_rest();
}

void Socket::write(detail::String before, ring::Lease bytes, std::string_view behind, Duration timeout) {
  begin_write(timeout, Clock::now());
  head_ = std::move(before);
  chunk_ = std::move(bytes);
  unsent_ = {head_, chunk_.bytes(), behind};
  failed() ? end_write(EPIPE) : send_rest();
}

void Socket::write(File file, Duration timeout) {
  begin_write(timeout, Clock::now());
  transfer_ = std::make_unique<FileTransfer>(std::move(file), tls_ == nullptr);
  ::fcntl(fd_.number(), F_SETFL, O_NONBLOCK);  // for sendfile(2); to the ring it makes no difference
  failed() ? end_write(EPIPE) : continue_file();
}

void Socket::begin_write(Duration timeout, TimePoint now) {
  base::check(!writing_, "two writes at once on a socket");
  writing_ = true;
  write_timeout_ = timeout;
  start_write_clock(now);
}

/// Starts the next send, a plain one if what is left stands in one piece.
void Socket::send_rest() {
  if (tls_ != nullptr) return send_records();
  std::size_t count = 0;
  std::span<const char> last;
  for (std::span<const char> part : unsent_) {
    if (part.empty()) continue;
    parts_[count++] = {const_cast<char*>(part.data()), part.size()};
    last = part;
  }
  if (count <= 1) return loop_->ring().send(connect_, fd_.number(), last);
  message_ = {};
  message_.msg_iov = parts_.data();
  message_.msg_iovlen = count;
  loop_->ring().send_message(connect_, fd_.number(), message_);
}

void Socket::sent(ring::Completion completion) {
  if (retiring_) return free_if_quiet();
  bool reads_file = transfer_ != nullptr && transfer_->step() == FileTransfer::Step::read;
  if (tls_ != nullptr && !reads_file) return records_sent(completion.result);
  if (transfer_ != nullptr) return stopping_ ? end_write(ECANCELED) : file_step_done(completion.result);
  part_sent(completion.result);
}

void Socket::part_sent(int result) {
  auto count = static_cast<std::size_t>(std::max(result, 0));
  bytes_sent_ += count;
  if (stopping_) return end_write(ECANCELED);
  if (result < 0 && result != -EINTR && result != -EAGAIN) return end_write(-result);
  bool rest = false;
  for (std::span<const char>& part : unsent_) {
    std::size_t taken = std::min(count, part.size());
    part = part.subspan(taken);
    count -= taken;
    rest = rest || !part.empty();
  }
  if (!rest) return end_write(0);
  if (result > 0) write_deadline_ = after(loop_->now(), write_timeout_);
  send_rest();
}

void Socket::continue_file() {
  if (connect_.in_flight()) return;  // TLS had something to say; goes on when that is done
  std::uint64_t before = bytes_sent_;
  FileTransfer::Step step = transfer_->next(fd_.number(), bytes_sent_);
  // The peer's time runs anew when it has taken something, and when it was the disk that was waited for.
  if (bytes_sent_ != before || write_deadline_ == kNever) start_write_clock(loop_->now());
  switch (step) {
    case FileTransfer::Step::done:
      return end_write(0);
    case FileTransfer::Step::await:
      return loop_->ring().await_writable(connect_, fd_.number());
    case FileTransfer::Step::read:
      write_deadline_ = kNever;
      return loop_->ring().read(connect_, transfer_->file(), transfer_->block(), transfer_->offset());
    case FileTransfer::Step::send:
      if (tls_ == nullptr) return loop_->ring().send(connect_, fd_.number(), transfer_->pending());
      unsent_ = {transfer_->pending()};
      return send_records();
    case FileTransfer::Step::ended:
      file_error_ = ENODATA;
      return end_write(ECANCELED);
  }
}

void Socket::file_step_done(int result) {
  bool failed = result < 0 && result != -EINTR && result != -EAGAIN;
  bool reading = transfer_->step() == FileTransfer::Step::read;
  if (failed && reading) file_error_ = -result;
  if (failed) return end_write(reading ? ECANCELED : -result);
  if (result >= 0 && reading) transfer_->loaded(static_cast<std::size_t>(result));
  if (result > 0 && transfer_->step() == FileTransfer::Step::send) {
    transfer_->sent(static_cast<std::size_t>(result));
    bytes_sent_ += static_cast<std::uint64_t>(result);
    start_write_clock(loop_->now());
  }
  continue_file();
}

void Socket::stop_writing() {
  if (!writing_) return;
  stopping_ = true;
  loop_->ring().cancel(connect_);
}

void Socket::end_writes() {
  more_to_write_ = false;
  writer_of_series_ = nullptr;
  if (!writing_) start_read_clock();
}

void Socket::end_write(int error) {
  head_ = detail::String();
  body_ = detail::SharedBytes();
  chunk_.drop();
  transfer_.reset();
  unsent_ = {};
  writing_ = false;
  stopping_ = false;
  write_error_ = error;
  write_deadline_ = kNever;
  if (!more_to_write_) start_read_clock();
  write_point_.notify();
}

void Socket::start_read_clock() {
  if (!read_point_.has_waiter()) return;
  read_deadline_ = after(loop_->now(), read_timeout_);
  schedule(read_deadline_);
}

// ---- reading

void Socket::start_receiving(Burst burst) {
  ring::Ring& ring = loop_->ring();
  if (discard_wanted_bytes_ != 0) {
    receiving_ = Receiving::discarding;
    ring.receive_discarding(
        receive_, fd_.number(),
        static_cast<std::uint32_t>(std::min(discard_wanted_bytes_, kLargestDiscardBytes)));
  } else if (burst == Burst::one_buffer || budget_->exhausted()) {
    receiving_ = Receiving::once;
    std::uint32_t most = budget_->exhausted() ? kFrugalReceiveBytes : kWholeBuffer;
    ring.receive_once(receive_, fd_.number(), loop_->buffers().group(), most);
  } else {
    receiving_ = Receiving::multishot;
    ring.receive_multishot(receive_, fd_.number(), loop_->buffers().group());
  }
}

bool Socket::may_receive() {
  bool wanted = !paused_ && !ended_ && !retiring_;
  if (!wanted || receive_.in_flight() || starved_.linked()) return false;
  bool asked_for =
      received_.empty() && (read_point_.has_waiter() || idle_watcher_ != nullptr || shaking_hands_);
  if (!budget_->exhausted() || asked_for) return true;
  paused_ = true;
  return false;
}

void Socket::resume_receiving() {
  if (!may_receive()) return;
  // A socket with a busy reader would be ahead of those that wait, each time, and take all buffers.
  bool queues_up = loop_->buffers().starving() && discard_wanted_bytes_ == 0;
  queues_up ? loop_->buffers().wait_for_buffers(starved_) : start_receiving(Burst::many_buffers);
}

void Socket::buffers_are_back() {
  // A burst would take all that came back, and others wait, too.
  if (may_receive()) start_receiving(Burst::one_buffer);
}

void Socket::watch_idle(IdleWatcher* watcher) {
  idle_watcher_ = watcher;
  if (watcher != nullptr) continue_if_drained();  // the end of the connection must be noticed
}

void Socket::received(ring::Completion completion) {
  bool discarded = receiving_ == Receiving::discarding;
  if (discarded)
    count_discarded(static_cast<std::uint64_t>(std::max(completion.result, 0)));
  else if (completion.result > 0)
    take_lease(completion);
  else if (completion.has_buffer)
    loop_->buffers().give_back(completion.buffer_id);
  if (retiring_) return free_if_quiet();
  if (!completion.more) receive_ended(completion.result);
  if (shaking_hands_ && failure_ != SocketStatus::ok) end_handshake();
  bool more_to_discard = discarded && discard_wanted_bytes_ != 0;
  // Records may hold no data: tickets and changes of keys concern no reader.
  bool news = completion.result > 0 && !more_to_discard && (tls_ == nullptr || !received_.empty());
  if (news || ended_ || failure_ != SocketStatus::ok) stir();
}

void Socket::take_lease(ring::Completion completion) {
  auto size = static_cast<std::uint32_t>(completion.result);
  ring::Lease lease = loop_->buffers().take(completion.buffer_id, size);
  // A reader that was told of the failure must not read on behind a gap.
  if (retiring_ || failure_ != SocketStatus::ok) return;
  bytes_received_ += size;
  if (tls_ != nullptr) return take_records(lease);
  gathering_.note_received(size, loop_->now());
  received_.push_back(std::move(lease));
  discard_wanted_bytes_ -= std::min<std::uint64_t>(size, discard_wanted_bytes_);
  budget_->charge(size);
}

void Socket::count_discarded(std::uint64_t bytes) {
  if (retiring_ || failure_ != SocketStatus::ok) return;
  bytes_received_ += bytes;
  gathering_.note_received(bytes, loop_->now());
  discarded_bytes_ += bytes;
  discard_wanted_bytes_ -= std::min(bytes, discard_wanted_bytes_);
  if (read_point_.has_waiter()) read_deadline_ = after(loop_->now(), read_timeout_);
}

/// The receive is over; decides whether and when there will be another.
void Socket::receive_ended(int result) {
  if (result == -ENOBUFS) return loop_->buffers().wait_for_buffers(starved_);
  if (result == 0) {
    stream_ended();
  } else if (result > 0 || result == -ECANCELED || result == -EINTR || result == -EAGAIN) {
    resume_receiving();  // unless it was stopped on purpose
  } else {
    fail(SocketStatus::failed, -result);
  }
}

void Socket::stream_ended() {
  ended_ = true;
  if (tls_ == nullptr) return;
  tls_->receive_end();
  tls_progressed();
}

void Socket::stop_receiving_if_full() {
  if (received_.empty() || received_.bytes() < budget_->limits().high_water_bytes) return;
  paused_ = true;
  stop_receiving();
}

/// Ends the receive that is under way; the way it ends says what comes after it.
void Socket::stop_receiving() {
  if (receiving_ == Receiving::multishot) loop_->ring().cancel(receive_);
}

void Socket::continue_if_drained() {
  bool drained =
      budget_->exhausted() ? received_.empty() : received_.bytes() <= budget_->limits().low_water_bytes;
  if (!paused_ || !drained) return;
  paused_ = false;
  resume_receiving();
}

void Socket::drop_received() noexcept {
  input_used_up();
  uncharge(received_.bytes());
  received_.clear();
  discarded_bytes_ = 0;
}

void Socket::uncharge(std::uint64_t bytes) noexcept {
  if (budget_ != nullptr) budget_->release(bytes);
}

ReadOutcome Socket::take_input() {
  input_used_up();
  if (discarded_bytes_ != 0) return {SocketStatus::ok, ring::Lease(), std::exchange(discarded_bytes_, 0)};
  if (!received_.empty()) {
    ReadOutcome outcome{SocketStatus::ok, received_.pop_front()};
    handed_out_bytes_ = outcome.lease.bytes().size();
    continue_if_drained();
    return outcome;
  }
  return {failure_ != SocketStatus::ok ? failure_ : SocketStatus::end};
}

void Socket::reader_waits(Duration timeout, std::uint64_t expected_bytes, std::uint64_t discard_bytes) {
  expects_reply_ = expected_bytes == 0;
  if (expects_reply_) loop_->receiver_waits();
  input_used_up();
  read_timeout_ = timeout;
  discard_wanted_bytes_ = discard_bytes;
  discard_bytes != 0 ? gathering_.expect_to_discard(discard_bytes) : gathering_.expect(expected_bytes);
  continue_if_drained();
  if (discard_bytes != 0) start_to_discard();
  if (writing_ || more_to_write_) return;  // the clock for reading starts when writing is done
  read_deadline_ = after(Clock::now(), timeout);
  schedule(read_deadline_);
}

void Socket::start_to_discard() {
  starved_.unlink();  // no buffer is needed
  receive_.in_flight() ? stop_receiving() : resume_receiving();
}

void Socket::reader_left() noexcept {
  reading_ = nullptr;
  if (expects_reply_) loop_->receiver_served();
  read_deadline_ = kNever;
  if (discard_wanted_bytes_ == 0) return;
  discard_wanted_bytes_ = 0;
  if (receiving_ == Receiving::discarding) loop_->ring().cancel(receive_);
}

// ---- events and deadlines

void Socket::fail(SocketStatus status, int code) {
  if (failure_ == SocketStatus::ok) {
    failure_ = status;
    system_code_ = code;
  }
}

std::string Socket::failure_text() const {
  bool by_tls = tls_ != nullptr && tls_->state() == TlsSession::State::failed;
  return by_tls ? tls_->failure().message : std::strerror(system_code_);
}

void Socket::stir() {
  read_point_.notify();
  // Looked at when the reader has had its turn.
  if (received_.bytes() >= budget_->limits().high_water_bytes) detail::ready_list().push_back(full_check_);
  if (idle_watcher_ != nullptr) idle_watcher_->idle_socket_stirred();
}

void Socket::schedule(TimePoint deadline) {
  // Deadlines mostly move away, a request at a time. The timer stays where it is and looks again when it
  // expires.
  if (deadline == kNever || (deadline_.armed() && deadline_.scheduled <= deadline)) return;
  deadline_.scheduled = deadline;
  deadline_.arm(deadline);
}

void Socket::start_write_clock(TimePoint now) {
  unacknowledged_bytes_ = -1;
  write_deadline_ = after(now, write_timeout_);
  schedule(after(now, write_timeout_ / 2));
}

/// The kernel takes more only when much of what it has is gone, which a slow peer may need long for. So what
/// it has is looked at twice in the time of the timeout.
void Socket::note_write_progress(TimePoint now) {
  int queued = 0;
  if (ioctl(fd_.number(), SIOCOUTQ, &queued) != 0) return;
  bool moved = unacknowledged_bytes_ >= 0 && queued != unacknowledged_bytes_;
  if (moved) write_deadline_ = after(now, write_timeout_);
  unacknowledged_bytes_ = queued;
}

void Socket::deadline_passed() {
  bool sending = connecting_ || shaking_hands_ || writing_;
  // A reader that has been served is not late, even if it has not run yet.
  if (!sending && !read_point_.has_waiter()) return;
  TimePoint now = Clock::now();
  if (writing_) note_write_progress(now);
  TimePoint deadline = sending ? write_deadline_ : read_deadline_;
  if (deadline > now)
    return schedule(writing_ ? std::min(deadline, after(now, write_timeout_ / 2)) : deadline);
  fail(SocketStatus::timed_out, ETIMEDOUT);
  write_point_.notify();
  stir();
}

}  // namespace sluice::net
