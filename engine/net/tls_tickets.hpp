// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/tls.hpp>

struct ssl_session_st;  // OpenSSL's SSL_SESSION: who only holds tickets need not know what is in them

namespace sluice::net {

struct FreeTicket {
  void operator()(ssl_session_st* ticket) const noexcept;
};
using TicketPointer = std::unique_ptr<ssl_session_st, FreeTicket>;

/// The tickets with which later connections of one client resume earlier ones; all for one configuration. A
/// ticket of TLS 1.3 is used once (RFC 8446, appendix C.4), a session of TLS 1.2 until it expires.
///
/// Threading: that of its client. Bounded: the oldest makes room, first of its own origin.
class TlsTickets {
 public:
  static constexpr std::size_t kMostTickets = 256;
  static constexpr std::size_t kMostOfOneOrigin = 64;

  void store(std::string_view origin, TicketPointer ticket);
  /// The newest ticket for an origin that can be used; none if there is none.
  TicketPointer take(std::string_view origin);
  void count_resumed() noexcept { ++counters_.resumed; }

  std::size_t size() const noexcept { return entries_.size(); }
  const TlsTicketStats& counters() const noexcept { return counters_; }

 private:
  struct Entry {
    std::string origin;
    TicketPointer ticket;
  };

  void make_room(std::string_view origin);

  std::vector<Entry> entries_;  // oldest first; few enough to be searched
  TlsTicketStats counters_;
};

}  // namespace sluice::net
