// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <variant>

#include <sluice/body.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/error.hpp>
#include <sluice/task.hpp>

#include "engine/net/file.hpp"
#include "engine/net/socket.hpp"

namespace sluice::http {

/// The sending of a body that does not leave with its head: of files, of what a coroutine gives, or one that
/// waits for the server's word (Expect: 100-continue). It runs as a task beside the reading of the response;
/// destroying it stops it, and with it the body's generator, wherever it is.
///
/// Pace: one piece at a time; the next is asked for when the kernel has taken the one before.
class Upload final : public detail::Recycled, private net::Socket::WriterOfSeries {
 public:
  /// What is sent one after the other.
  using Part = std::variant<detail::SharedBytes, net::File>;
  using Parts = detail::Vector<Part>;

  explicit Upload(Parts parts) noexcept;
  /// With a length, the generator must give exactly so many bytes; without, it is sent in chunks.
  Upload(Generator<Chunk> generator, std::optional<std::uint64_t> length) noexcept;
  ~Upload();

  /// The body waits for proceed(), or for so long.
  void expect_continue(Duration wait) noexcept { continue_wait_ = wait; }

  /// Sends the head, then the body. The socket must outlive the upload. Call once.
  void start(net::Socket& socket, detail::String head, Duration timeout);
  /// The server said 100 (Continue).
  void proceed();
  /// All has been sent.
  bool complete() const noexcept;

  /// Why the upload has failed on this side. The socket is aborted then; what the generator threw is in
  /// thrown(), other faults are in fault().
  bool failed() const noexcept { return fault_ || thrown_ != nullptr; }
  std::exception_ptr thrown() const noexcept { return thrown_; }
  const std::optional<Error>& fault() const noexcept { return fault_; }

 private:
  struct Ended : detail::ReadyNode {
    Ended(Upload& owner, Function function) noexcept : ReadyNode(function), upload(&owner) {}
    Upload* upload;
  };
  struct ContinueTimer : detail::Timer {
    ContinueTimer(Upload& owner, Function function) noexcept : Timer(function), upload(&owner) {}
    Upload* upload;
  };

  Upload(Parts parts, Generator<Chunk> generator, std::optional<std::uint64_t> length,
         bool generated) noexcept;

  void socket_goes() noexcept override;
  Task<void> run();
  Task<bool> written();
  Task<void> wait_for_continue();
  Task<void> send_parts();
  Task<void> send_generated();
  Task<std::optional<Chunk>> next_chunk();
  void write_chunk(Chunk chunk);
  bool count(const Chunk& chunk);
  void fail(ErrorKind kind, std::string message, int system_code = 0);
  void ended();

  Parts parts_;
  Generator<Chunk> generator_;
  bool generated_;
  std::optional<std::uint64_t> missing_;  // of the stated length
  std::optional<Duration> continue_wait_;

  net::Socket* socket_ = nullptr;
  detail::String head_;
  Duration timeout_{};
  detail::WaitPoint go_ahead_;
  ContinueTimer continue_timer_;
  bool may_proceed_ = false;
  bool last_started_ = false;  // the write of the last piece, after which nothing is asked of the generator
  std::optional<Error> fault_;
  std::exception_ptr thrown_;
  Ended ended_;
  Task<void> task_;  // last: it uses the rest
};

}  // namespace sluice::http
