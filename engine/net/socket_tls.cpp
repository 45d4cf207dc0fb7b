// SPDX-License-Identifier: MIT
// The parts of a socket that speak TLS. The session is decrypted as bytes arrive, so what waits for the
// reader is plaintext; tickets and changes of keys never reach him.
#include <cerrno>

#include <sys/socket.h>

#include "engine/net/socket.hpp"
#include "engine/net/tls_session.hpp"

namespace sluice::net {

Task<SocketStatus> Socket::start_tls(std::unique_ptr<TlsSession> session, TimePoint deadline) {
  tls_ = std::move(session);
  shaking_hands_ = true;
  write_deadline_ = deadline;
  schedule(deadline);
  gathering_.disable();  // its mark counts bytes of the body
  tls_->start();
  ring::LeaseQueue nothing;  // a server that speaks first cannot have encrypted it
  while (!received_.empty()) {
    ring::Lease lease = received_.pop_front();
    uncharge(lease.bytes().size());
    tls_->receive(lease.bytes(), nothing);
  }
  if (ended_) tls_->receive_end();
  tls_progressed();
  continue_if_drained();
  if (failure_ != SocketStatus::ok) end_handshake();
  if (shaking_hands_) co_await write_point_.wait();
  co_return failure_;
}

bool Socket::truncated() const noexcept {
  return tls_ != nullptr && tls_->state() == TlsSession::State::truncated;
}

void Socket::take_records(const ring::Lease& records) {
  std::uint64_t before = received_.bytes();
  tls_->receive(records.bytes(), received_);
  budget_->charge(received_.bytes() - before);
  tls_progressed();
}

/// The session has taken something: it may have opened, ended or failed, and may have something to say.
void Socket::tls_progressed() {
  TlsSession::State state = tls_->state();
  if (state == TlsSession::State::failed) {
    fail(SocketStatus::failed, 0);
    send_last_words();
    return;
  }
  if (state == TlsSession::State::ended) ended_ = true;
  // What ends the handshake on our side leaves with the request.
  bool has_opened = shaking_hands_ && state != TlsSession::State::handshaking;
  if (has_opened) return end_handshake();
  send_records();
}

void Socket::end_handshake() {
  shaking_hands_ = false;
  write_deadline_ = kNever;
  write_point_.notify();
}

/// Sends what the session has ready, and as much of the write as fits in the same send.
void Socket::send_records() {
  if (connect_.in_flight()) return;  // goes on when that is done
  if (writing_ && tls_->output().size() < TlsSession::kBatchBytes) tls_->seal(unsent_);
  if (tls_->state() == TlsSession::State::failed) {
    fail(SocketStatus::failed, 0);
    read_point_.notify();
  }
  if (!tls_->output().empty()) return loop_->ring().send(connect_, fd_.number(), tls_->output());
  if (writing_) end_write(failed() ? EPIPE : 0);
}

void Socket::records_sent(int result) {
  if (result > 0) {
    bytes_sent_ += static_cast<std::uint64_t>(result);
    tls_->output_sent(static_cast<std::size_t>(result));
    if (writing_) start_write_clock(loop_->now());
  }
  bool broken = result < 0 && result != -EINTR && result != -EAGAIN;
  if (writing_ && (stopping_ || broken)) return end_write(stopping_ ? ECANCELED : -result);
  if (broken) return;  // what the server said before it went, or that it went, is still to be received
  bool all_sealed = unsent_[0].empty() && unsent_[1].empty() && unsent_[2].empty();
  bool all_sent = tls_->output().empty() && all_sealed;
  if (!all_sent || transfer_ == nullptr) return send_records();
  transfer_->sent(transfer_->pending().size());
  continue_file();
}

/// An alert or close_notify, if the socket takes it at once; nobody waits for it. None behind a write that
/// was cut short.
void Socket::send_last_words() noexcept {
  if (connect_.in_flight() || write_error_ != 0) return;
  if (failure_ == SocketStatus::ok && tls_->state() != TlsSession::State::handshaking) tls_->close();
  std::span<const char> words = tls_->output();
  if (words.empty()) return;
  ssize_t count = ::send(fd_.number(), words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  tls_->output_sent(count > 0 ? static_cast<std::size_t>(count) : 0);
}

}  // namespace sluice::net
