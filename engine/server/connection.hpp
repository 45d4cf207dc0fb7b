// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/task.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/net/socket.hpp"
#include "engine/server/request.hpp"
#include "engine/server/responder.hpp"
#include "engine/wire/request_reader.hpp"

namespace sluice::server {

class Server;

/// One client's connection: a task that reads requests, has them answered, and writes the responses in the
/// same order. It belongs to its server; destroying it cancels the handler that runs.
class Connection final : public base::ListNode, public detail::Recycled {
 public:
  Connection(Server& server, net::Socket::Pointer socket);

  /// Has it end soon: after the response under way, or at once if no request is there.
  void wind_down();

 private:
  /// What the connection does next.
  enum class Step : std::uint8_t { read, answer, close };

  struct Ended : detail::ReadyNode {
    Ended(Connection& owner, Function function) noexcept : ReadyNode(function), connection(&owner) {}
    Connection* connection;
  };

  Task<void> run();
  Task<void> finish_writing();
  Task<void> discard_input();

  Step next_step();
  void start_request();
  Step refuse(int status);
  void expect_body();
  Step take_body();
  Task<void> call_handler();
  void end_request();
  Duration patience() const;
  void supply(net::ReadOutcome outcome);

  Server* server_;
  Ended ended_;
  net::Socket::Pointer socket_;
  wire::RequestReader reader_;
  wire::RequestHead head_;
  Request request_;
  detail::String body_;
  Responder responder_;
  ring::Lease lease_;            // on the bytes that input_ is a part of
  std::span<const char> input_;  // received, not yet read
  net::SocketStatus input_status_ = net::SocketStatus::ok;
  TimePoint request_began_{};
  bool awaiting_body_ = false;  // the head is there, nothing was done about its body
  bool reading_ = false;        // waits for bytes
  bool winding_down_ = false;
  bool input_refused_ = false;  // a body is on its way that nobody will read
  Task<void> task_;             // last: its frames refer to all the rest
};

}  // namespace sluice::server
