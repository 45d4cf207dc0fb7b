// SPDX-License-Identifier: MIT
#include "engine/http/pool.hpp"

#include <functional>
#include <utility>

#include "engine/base/check.hpp"

namespace sluice::http {

void Connection::idle_socket_stirred() {
  pool->discard_idle(*this);
}

// ---- Slot

Slot::Slot(Pool& pool, Origin& origin, std::unique_ptr<Connection> connection) noexcept
    : pool_(&pool), origin_(&origin), connection_(std::move(connection)) {
  ++pool_->slots_;
  ++origin_->users;
  if (connection_ != nullptr) pool_->in_use_.push_back(*connection_);
}

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    drop();
    pool_ = std::exchange(other.pool_, nullptr);
    origin_ = std::exchange(other.origin_, nullptr);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

void Slot::attach(net::Socket::Pointer socket) {
  connection_ = std::make_unique<Connection>(*pool_, *origin_, std::move(socket), pool_->reader_limits_);
  pool_->in_use_.push_back(*connection_);
  ++pool_->opened_;
}

void Slot::release() {
  give_back(true);
}

void Slot::drop() {
  if (pool_ != nullptr) give_back(false);
}

void Slot::give_back(bool keep) {
  std::exchange(pool_, nullptr)->take_back(*std::exchange(origin_, nullptr), std::move(connection_), keep);
}

// ---- Pool

struct Pool::Waiter : base::ListNode {
  Waiter(Pool& owner, Origin& wanted) : pool(&owner), origin(&wanted), deadline(*this) {
    pool->waiters_.push_back(*this);
    ++pool->waiting_count_;
    ++origin->users;
  }
  ~Waiter() {
    --pool->waiting_count_;
    unlink();
    pool->leave(*origin);
  }

  struct Deadline : detail::Timer {
    explicit Deadline(Waiter& owner)
        : Timer([](detail::Timer& timer) { static_cast<Deadline&>(timer).waiter->point.notify(); }),
          waiter(&owner) {}
    Waiter* waiter;
  };

  Pool* pool;
  Origin* origin;
  Deadline deadline;
  detail::WaitPoint point;
  Slot slot;  // what it was given; a waiter that is cancelled now gives it on by destroying it
};

std::size_t Pool::OriginHash::operator()(const OriginKey& key) const noexcept {
  return std::hash<std::string_view>()(key.host) * 31 + key.port * 2U + key.scheme.size();
}

Pool::Pool(ring::Loop& loop, const Limits& limits, const wire::ReaderLimits& reader_limits)
    : loop_(&loop),
      limits_(limits),
      reader_limits_(reader_limits),
      expiry_(*this, [](detail::Timer& timer) { static_cast<Expiry&>(timer).pool->discard_expired(); }),
      trim_(*this, [](detail::ReadyNode& node) { static_cast<Trim&>(node).pool->discard_surplus(); }) {
  loop.add_resident(*this);
}

Pool::~Pool() {
  close();
  base::check(places_ == 0 && slots_ == 0, "a pool was destroyed while its places are in use");
}

Slot Pool::try_acquire(const OriginKey& key) {
  if (closed_ || !waiters_.empty()) return Slot();
  return grant(origin_of(key));
}

Task<Result<Slot>> Pool::acquire(OriginKey key, Duration timeout) {
  if (!closed_) {
    if (Slot slot = try_acquire(key)) co_return slot;
    Waiter waiter(*this, origin_of(key));
    TimePoint deadline = net::after(Clock::now(), timeout);
    if (deadline != net::kNever) waiter.deadline.arm(deadline);
    co_await waiter.point.wait();
    if (waiter.slot) co_return std::move(waiter.slot);
  }
  if (closed_) co_return Error(ErrorKind::client_closed, Phase::pool, "the client was closed");
  co_return Error(
      ErrorKind::pool_timeout, Phase::pool,
      "no connection became free: all " + std::to_string(limits_.max_connections) + " are in use");
}

/// The place that a request for this origin may have now, if any.
Slot Pool::grant(Origin& origin) {
  if (!origin.idle.empty()) return Slot(*this, origin, take_idle(origin.idle.front()));
  if (places_ >= limits_.max_connections) {
    if (idle_.empty()) return Slot();
    discard_idle(idle_.front());  // of another origin, the one that was idle longest
  }
  ++places_;
  return Slot(*this, origin, nullptr);
}

void Pool::serve_waiters() {
  while (!waiters_.empty()) {
    Waiter& waiter = waiters_.front();
    waiter.slot = grant(*waiter.origin);
    if (!waiter.slot) return;
    waiter.unlink();
    waiter.deadline.disarm();
    waiter.point.notify();
  }
}

void Pool::take_back(Origin& origin, std::unique_ptr<Connection> connection, bool keep) {
  --slots_;
  bool wanted =
      !closed_ && limits_.max_keepalive_connections > 0 && limits_.keepalive_expiry > Duration::zero();
  if (keep && wanted) {
    make_idle(std::move(connection));
  } else {
    connection.reset();
    --places_;
  }
  leave(origin);
  check_ledger();
  serve_waiters();
}

Origin& Pool::origin_of(const OriginKey& key) {
  if (auto found = origins_.find(key); found != origins_.end()) return **found;
  auto origin = std::make_unique<Origin>();
  origin->scheme = key.scheme;
  origin->host = key.host;
  origin->port = key.port;
  return **origins_.insert(std::move(origin)).first;
}

/// A slot or waiter no longer refers to the origin.
void Pool::leave(Origin& origin) {
  --origin.users;
  forget_if_unused(origin);
}

void Pool::forget_if_unused(Origin& origin) {
  if (origin.users == 0 && origin.idle.empty()) origins_.erase(origins_.find(origin.key()));
}

// ---- idle connections

void Pool::make_idle(std::unique_ptr<Connection> connection) {
  Connection& idle = *connection.release();  // owned by the lists from here on
  static_cast<base::TaggedListNode<OfPool>&>(idle).unlink();
  idle.idle_since = loop_->now();
  idle.origin->idle.push_front(idle);
  idle_.push_back(idle);
  ++idle_count_;
  idle.socket->watch_idle(&idle);
  if (!expiry_.armed()) expire_first();
  // A task that has just got its response often sends its next request at once. The surplus is counted after
  // the tasks that are ready now have run, so a busy client does not close what it is about to use.
  if (idle_count_ > limits_.max_keepalive_connections) detail::ready_list().push_back(trim_);
}

std::unique_ptr<Connection> Pool::take_idle(Connection& connection) {
  connection.socket->watch_idle(nullptr);
  static_cast<base::TaggedListNode<OfOrigin>&>(connection).unlink();
  static_cast<base::TaggedListNode<OfPool>&>(connection).unlink();
  --idle_count_;
  return std::unique_ptr<Connection>(&connection);
}

void Pool::discard_idle(Connection& connection) {
  Origin& origin = *connection.origin;
  take_idle(connection).reset();
  --places_;
  forget_if_unused(origin);
}

void Pool::discard_expired() {
  TimePoint now = Clock::now();
  while (!idle_.empty() && expiry_of(idle_.front()) <= now) discard_idle(idle_.front());
  if (!idle_.empty()) expire_first();
}

/// Arms the timer for the connection that has been idle longest.
void Pool::expire_first() {
  TimePoint expiry = expiry_of(idle_.front());
  if (expiry != net::kNever) expiry_.arm(expiry);
}

TimePoint Pool::expiry_of(const Connection& idle) const {
  return net::after(idle.idle_since, limits_.keepalive_expiry);
}

void Pool::discard_surplus() {
  while (idle_count_ > limits_.max_keepalive_connections) discard_idle(idle_.front());
}

void Pool::shut_down() {
  // An exchange may outlive its shard, in a response that is still streamed; its socket must not.
  while (!in_use_.empty()) {
    Connection& connection = in_use_.front();
    static_cast<base::TaggedListNode<OfPool>&>(connection).unlink();
    connection.socket.reset();
  }
  close();
}

void Pool::close() {
  if (std::exchange(closed_, true)) return;
  expiry_.disarm();
  trim_.unlink();
  while (!idle_.empty()) discard_idle(idle_.front());
  in_use_.for_each([](Connection& connection) { connection.socket->abort(); });
  while (!waiters_.empty()) {
    Waiter& waiter = waiters_.front();
    waiter.unlink();
    waiter.point.notify();
  }
}

PoolStats Pool::stats() const {
  return {places_, idle_count_, waiting_count_, opened_};
}

void Pool::check_ledger() const {
  base::check(places_ == slots_ + idle_count_, "places of a pool do not balance");
}

}  // namespace sluice::http
