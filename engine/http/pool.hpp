// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>

#include <sluice/client.hpp>
#include <sluice/detail/executor.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/options.hpp>
#include <sluice/task.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/http/connection.hpp"
#include "engine/ring/loop.hpp"

namespace sluice::http {

/// What makes connections interchangeable. Views: valid as long as the URL they were taken from.
struct OriginKey {
  std::string_view scheme;
  std::string_view host;
  std::uint16_t port = 0;

  friend bool operator==(const OriginKey&, const OriginKey&) = default;
};

/// One server as the pool sees it.
struct Origin {
  detail::String scheme;
  detail::String host;
  std::uint16_t port = 0;
  base::List<Connection, base::TaggedListNode<OfOrigin>> idle;  // most recently used first
  std::uint32_t users = 0;  // connections and waiting requests that refer to it

  OriginKey key() const noexcept { return {scheme, host, port}; }
};

/// A place in the pool: a connection in use, or the right to make one. Exactly one owner; dropping it without
/// release() closes the connection, so a cancelled exchange can leave nothing behind. The pool must outlive
/// it.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        origin_(std::exchange(other.origin_, nullptr)),
        connection_(std::move(other.connection_)) {}
  Slot& operator=(Slot&& other) noexcept;
  ~Slot() { drop(); }

  explicit operator bool() const noexcept { return pool_ != nullptr; }
  bool connected() const noexcept { return connection_ != nullptr; }
  Connection& connection() noexcept { return *connection_; }
  Origin& origin() noexcept { return *origin_; }

  /// Turns the right to connect into a connection.
  void attach(net::Socket::Pointer socket);
  /// Gives the connection back for the next exchange.
  void release();
  /// Closes the connection, if there is one, and gives the place back.
  void drop();

 private:
  friend class Pool;
  void give_back(bool keep);
  Slot(Pool& pool, Origin& origin, std::unique_ptr<Connection> connection) noexcept;

  Pool* pool_ = nullptr;
  Origin* origin_ = nullptr;
  std::unique_ptr<Connection> connection_;
};

/// The connections of one client: first come first served, most recently used first, bounded and expiring.
///
/// All decisions are O(1) and synchronous; a request that has to wait does so in acquire(). Every place is
/// either idle here or owned by a Slot (places == slots + idle), which is checked at each change.
class Pool final : public ring::Resident {
 public:
  Pool(ring::Loop& loop, const Limits& limits, const wire::ReaderLimits& reader_limits);
  ~Pool();

  /// A place without waiting: an idle connection, or the right to connect. An empty slot when the request
  /// must wait.
  Slot try_acquire(const OriginKey& key);
  /// A place, waiting at most `timeout` for it. Errors: pool_timeout, client_closed.
  Task<Result<Slot>> acquire(OriginKey key, Duration timeout);

  /// Closes idle connections at once and breaks those in use; waiting requests end with client_closed.
  void close();
  bool closed() const noexcept { return closed_; }

  PoolStats stats() const;
  ring::Loop& loop() noexcept { return *loop_; }
  const wire::ReaderLimits& reader_limits() const noexcept { return reader_limits_; }

 private:
  friend class Connection;
  friend class Slot;

  /// Finds an Origin by a key that only views its text.
  struct OriginHash {
    using is_transparent = void;
    std::size_t operator()(const OriginKey& key) const noexcept;
    std::size_t operator()(const std::unique_ptr<Origin>& origin) const noexcept {
      return (*this)(origin->key());
    }
  };
  struct OriginEqual {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return view(a) == view(b);
    }
    static OriginKey view(const OriginKey& key) noexcept { return key; }
    static OriginKey view(const std::unique_ptr<Origin>& origin) noexcept { return origin->key(); }
  };
  struct Waiter;
  struct Expiry : detail::Timer {
    Expiry(Pool& owner, Function function) noexcept : Timer(function), pool(&owner) {}
    Pool* pool;
  };
  struct Trim : detail::ReadyNode {
    Trim(Pool& owner, Function function) noexcept : ReadyNode(function), pool(&owner) {}
    Pool* pool;
  };

  void shut_down() override;

  Origin& origin_of(const OriginKey& key);
  void leave(Origin& origin);
  void forget_if_unused(Origin& origin);
  void take_back(Origin& origin, std::unique_ptr<Connection> connection, bool keep);
  Slot grant(Origin& origin);
  void serve_waiters();

  void make_idle(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take_idle(Connection& connection);
  void discard_idle(Connection& connection);
  void discard_expired();
  void expire_first();
  TimePoint expiry_of(const Connection& idle) const;
  void discard_surplus();
  void check_ledger() const;

  ring::Loop* loop_;
  Limits limits_;
  wire::ReaderLimits reader_limits_;
  bool closed_ = false;
  std::uint32_t places_ = 0;  // taken: == slots_ + idle_count_
  std::uint32_t slots_ = 0;
  std::uint32_t idle_count_ = 0;
  std::uint32_t waiting_count_ = 0;
  std::uint64_t opened_ = 0;
  std::unordered_set<std::unique_ptr<Origin>, OriginHash, OriginEqual> origins_;
  base::List<Connection, base::TaggedListNode<OfPool>> idle_;  // longest idle first
  base::List<Connection, base::TaggedListNode<OfPool>> in_use_;
  base::List<Waiter> waiters_;
  Expiry expiry_;
  Trim trim_;
};

}  // namespace sluice::http
