// SPDX-License-Identifier: MIT
#include "engine/net/gathering.hpp"

#include <utility>

#include <sys/socket.h>

namespace sluice::net {

Gathering::Gathering() noexcept
    : tick_(*this, [](detail::Timer& timer) { static_cast<Tick&>(timer).gathering->look_again(); }) {}

void Gathering::expect(std::uint64_t bytes) {
  expected_bytes_ = bytes;
  if (mark_bytes_ > 1 && bytes < mark_bytes_) stop();  // the last bytes must not wait for others
}

void Gathering::expect_to_discard(std::uint64_t bytes) {
  expected_bytes_ = bytes;
  if (fd_ >= 0 && bytes >= kMarkBytes) start(kMarkBytes, kDiscardPatience);
}

void Gathering::note_received(std::uint64_t bytes, TimePoint now) {
  if (fd_ < 0 || expected_bytes_ < kMarkBytes) return;
  expected_bytes_ -= bytes < expected_bytes_ ? bytes : expected_bytes_;
  bool gathers = mark_bytes_ > 1;
  if (!gathers && now - recent_start_ > kPatience) {
    recent_start_ = now;
    recent_bytes_ = 0;
  }
  recent_bytes_ += bytes;
  if (gathers && expected_bytes_ < mark_bytes_) stop();
  if (!gathers && recent_bytes_ >= kMarkBytes && expected_bytes_ >= kMarkBytes) start(kMarkBytes, kPatience);
}

void Gathering::start(std::uint32_t mark_bytes, Duration patience) {
  if (mark_bytes_ == mark_bytes) return;
  set_mark(mark_bytes);
  patience_ = patience;
  recent_bytes_ = 0;
  tick_.arm(Clock::now() + patience);
}

/// Goes on only if the mark was reached in time.
void Gathering::look_again() {
  if (recent_bytes_ < mark_bytes_) return stop();
  recent_bytes_ = 0;
  tick_.arm(Clock::now() + patience_);
}

void Gathering::stop() {
  tick_.disarm();
  recent_bytes_ = 0;
  if (mark_bytes_ > 1) set_mark(1);
}

/// Lowering it wakes who waits for bytes that are there already.
void Gathering::set_mark(std::uint32_t bytes) {
  mark_bytes_ = bytes;
  int value = static_cast<int>(bytes);
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

}  // namespace sluice::net
