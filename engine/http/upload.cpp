// SPDX-License-Identifier: MIT
#include "engine/http/upload.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/wire/response_writer.hpp"

namespace sluice::http {

Upload::Upload(Parts parts) noexcept : Upload(std::move(parts), {}, std::nullopt, false) {}

Upload::Upload(Generator<Chunk> generator, std::optional<std::uint64_t> length) noexcept
    : Upload({}, std::move(generator), length, true) {}

Upload::Upload(Parts parts, Generator<Chunk> generator, std::optional<std::uint64_t> length,
               bool generated) noexcept
    : parts_(std::move(parts)),
      generator_(std::move(generator)),
      generated_(generated),
      missing_(length),
      continue_timer_(*this,
                      [](detail::Timer& timer) { static_cast<ContinueTimer&>(timer).upload->proceed(); }),
      ended_(*this, [](detail::ReadyNode& node) { static_cast<Ended&>(node).upload->ended(); }) {}

Upload::~Upload() {
  task_.reset();
  if (socket_ != nullptr) socket_->end_writes();
}

void Upload::start(net::Socket& socket, detail::String head, Duration timeout) {
  socket_ = &socket;
  head_ = std::move(head);
  timeout_ = timeout;
  socket.begin_writes(*this);
  task_ = run();
  task_.start(ended_);
}

/// Nothing can be sent any more, and nobody will ask for it.
void Upload::socket_goes() noexcept {
  socket_ = nullptr;
  continue_timer_.disarm();
  task_.reset();
}

bool Upload::complete() const noexcept {
  return last_started_ && !socket_->writing() && socket_->write_error() == 0;
}

void Upload::proceed() {
  may_proceed_ = true;
  continue_timer_.disarm();
  go_ahead_.notify();
}

Task<void> Upload::run() {
  if (missing_ == 0) {  // the request is whole with its head, so what must not follow is looked for before
    std::optional<Chunk> chunk = co_await next_chunk();
    if (chunk && !count(*chunk)) co_return;
    last_started_ = true;
  }
  socket_->write(std::move(head_), {}, timeout_);
  bool head_written = co_await written();
  if (!head_written) co_return;
  if (continue_wait_) co_await wait_for_continue();
  if (generated_)
    co_await send_generated();
  else
    co_await send_parts();
}

/// Waits for the end of the current write; false if it has failed, and the reader will see why.
Task<bool> Upload::written() {
  while (socket_->writing() && !socket_->failed()) co_await socket_->wait_for_write();
  co_return socket_->write_error() == 0 && !socket_->failed();
}

Task<void> Upload::wait_for_continue() {
  continue_timer_.arm(net::after(Clock::now(), *continue_wait_));
  while (!may_proceed_) co_await go_ahead_.wait();
}

Task<void> Upload::send_parts() {
  for (Part& part : parts_) {
    last_started_ = &part == &parts_.back();
    if (auto* file = std::get_if<net::File>(&part))
      socket_->write(std::move(*file), timeout_);
    else
      socket_->write({}, std::get<detail::SharedBytes>(part), timeout_);
    bool whole = co_await written();
    if (int code = socket_->file_error(); code == ENODATA)
      fail(ErrorKind::local_protocol_error, "the file became shorter while it was sent");
    else if (code != 0)
      fail(ErrorKind::system_error, std::string("the file cannot be read: ") + std::strerror(code), code);
    if (!whole) co_return;
  }
}

// Every co_await is a statement of its own: g++ 12 miscompiles one inside && with an assignment.
Task<void> Upload::send_generated() {
  std::optional<Chunk> chunk = co_await next_chunk();
  while (chunk) {
    if (!count(*chunk)) co_return;
    // A request that is whole on the wire may be answered, so the end is awaited before: nothing may follow.
    bool last = missing_ == 0;
    std::optional<Chunk> following;
    if (last) following = co_await next_chunk();
    if (following && !count(*following)) co_return;
    last_started_ = last;
    write_chunk(*std::move(chunk));
    bool whole = co_await written();
    if (!whole) co_return;
    if (last) break;
    chunk = co_await next_chunk();
  }
  if (missing_.value_or(0) != 0)
    co_return fail(ErrorKind::local_protocol_error, "the body's generator gave less than the stated length");
  if (missing_) co_return;
  last_started_ = true;
  socket_->write(detail::String(wire::kLastChunk), {}, timeout_);
}

/// The next chunk that is not empty: an empty one would end the body.
Task<std::optional<Chunk>> Upload::next_chunk() {
  std::optional<Chunk> chunk = co_await generator_.next();
  while (chunk && chunk->size() == 0) chunk = co_await generator_.next();
  co_return chunk;
}

/// Takes a chunk off what is missing; false if there is too much.
bool Upload::count(const Chunk& chunk) {
  if (!missing_) return true;
  if (chunk.size() > *missing_) {
    fail(ErrorKind::local_protocol_error, "the body's generator gave more than the stated length");
    return false;
  }
  *missing_ -= chunk.size();
  return true;
}

void Upload::write_chunk(Chunk chunk) {
  detail::String line;
  if (!missing_) wire::write_chunk_line(line, chunk.size());
  socket_->write(std::move(line), std::move(chunk).take_lease(),
                 missing_ ? std::string_view() : wire::kChunkEnd, timeout_);
}

void Upload::fail(ErrorKind kind, std::string message, int system_code) {
  Error::Facts facts(kind, Phase::write, std::move(message));
  facts.system_code = system_code;
  fault_ = Error(std::move(facts));
}

/// The task has ended, one way or the other.
void Upload::ended() {
  if (task_.failed()) thrown_ = task_.promise().take_exception();
  if (failed()) return socket_->abort();  // what is on the wire must not pass for a whole request
  socket_->end_writes();
}

}  // namespace sluice::http
