// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include <sluice/detail/memory.hpp>
#include <sluice/detail/timer.hpp>
#include <sluice/result.hpp>

#include "engine/net/address.hpp"
#include "engine/net/fd.hpp"
#include "engine/ring/loop.hpp"

namespace sluice::net {

/// How a Listener binds. Trivially copyable.
struct ListenOptions {
  int backlog = SOMAXCONN;
  bool reuse_port = false;  ///< several listeners, each on a shard of its own, may share the port (TCP only)
};
static_assert(std::is_trivially_copyable_v<ListenOptions>);

/// A listening socket with a multishot accept in flight.
///
/// When no descriptor is left it stops for a moment and then goes on: connections wait in the backlog
/// meanwhile.
///
/// Ownership: as Socket. Letting go of the Pointer ends the accept; once the last completion has arrived the
/// descriptor is closed and the object frees itself.
class Listener final : public ring::Resident, public detail::Recycled {
 public:
  struct Retire {
    void operator()(Listener* listener) const { listener->retire(); }
  };
  using Pointer = std::unique_ptr<Listener, Retire>;

  /// Gets the accepted connections, from the loop's reaping step: it stores and queues and runs no user code.
  class Acceptor {
   public:
    virtual void accepted(Fd connection) = 0;

   protected:
    ~Acceptor() = default;
  };

  /// Binds, listens and starts to accept. A unix socket's path is removed again at the end, and one that a
  /// dead process left behind is replaced. Errors: system_error.
  static Result<Pointer> open(ring::Loop& loop, const Address& address, const ListenOptions& options,
                              Acceptor& acceptor);

  /// Where it listens: with the true port if 0 was asked for.
  const Address& address() const noexcept { return address_; }

 private:
  struct Accept : ring::Operation {
    Accept(Listener& owner, Handler handler) noexcept : Operation(handler), listener(&owner) {}
    Listener* listener;
  };
  struct Pause : detail::Timer {
    Pause(Listener& owner, Function function) noexcept : Timer(function), listener(&owner) {}
    Listener* listener;
  };

  Listener(ring::Loop& loop, Fd fd, Acceptor& acceptor);
  ~Listener();

  void shut_down() override { stop(); }
  void stop();
  void retire();
  void free_if_quiet();
  void start_accepting();
  void accepted(ring::Completion completion);

  ring::Loop* loop_;
  Fd fd_;
  Acceptor* acceptor_;
  Address address_;
  Accept accept_;
  Pause pause_;
  bool stopped_ = false;
  bool retired_ = false;
};

}  // namespace sluice::net
