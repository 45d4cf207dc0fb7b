// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <sluice/detail/memory.hpp>
#include <sluice/detail/timer.hpp>

#include "engine/base/intrusive_list.hpp"
#include "engine/net/socket.hpp"
#include "engine/wire/response_reader.hpp"

namespace sluice::http {

class Pool;
struct Origin;

/// Names for the two lists an idle connection stands in.
struct OfOrigin;
struct OfPool;

/// One HTTP/1.1 connection of a pool: a socket and the reader of its responses. It carries one exchange at a
/// time.
class Connection final : public net::Socket::IdleWatcher,
                         public base::TaggedListNode<OfOrigin>,
                         public base::TaggedListNode<OfPool>,
                         public detail::Recycled {
 public:
  Connection(Pool& owner, Origin& its_origin, net::Socket::Pointer its_socket,
             const wire::ReaderLimits& limits)
      : pool(&owner), origin(&its_origin), socket(std::move(its_socket)), reader(limits) {}

  /// Something happened while nobody used the connection: it is of no more use.
  void idle_socket_stirred() override;

  Pool* pool;
  Origin* origin;
  net::Socket::Pointer socket;
  wire::ResponseReader reader;
  TimePoint idle_since{};
};

}  // namespace sluice::http
