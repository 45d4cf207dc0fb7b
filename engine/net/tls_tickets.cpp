// SPDX-License-Identifier: MIT
#include "engine/net/tls_tickets.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "engine/net/openssl.hpp"

namespace sluice::net {
namespace {

bool single_use(const SSL_SESSION& ticket) {
  return SSL_SESSION_get_protocol_version(&ticket) >= TLS1_3_VERSION;
}

/// How long a ticket holds. A server that says nothing of it says 0, which in TLS 1.3 means "not at all" (RFC
/// 8446, 4.6.1).
long lifetime_seconds(const SSL_SESSION& ticket) {
  long ours = SSL_SESSION_get_timeout(&ticket);
  auto servers = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(&ticket));
  bool says = SSL_SESSION_has_ticket(&ticket) == 1 && (servers != 0 || single_use(ticket));
  return says ? std::min(ours, servers) : ours;
}

/// Its time is over, that of its certificate is, or OpenSSL gave it up.
bool expired(const SSL_SESSION& ticket) {
  if (SSL_SESSION_is_resumable(&ticket) != 1) return true;
  if (std::time(nullptr) >= SSL_SESSION_get_time(&ticket) + lifetime_seconds(ticket)) return true;
  X509* certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(&ticket));
  return certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

}  // namespace

void FreeTicket::operator()(ssl_session_st* ticket) const noexcept {
  SSL_SESSION_free(ticket);
}

void TlsTickets::store(std::string_view origin, TicketPointer ticket) {
  make_room(origin);
  entries_.push_back({std::string(origin), std::move(ticket)});
  ++counters_.stored;
}

void TlsTickets::make_room(std::string_view origin) {
  auto is_of_origin = [&](const Entry& entry) { return entry.origin == origin; };
  bool own = std::count_if(entries_.begin(), entries_.end(), is_of_origin) >=
             static_cast<std::ptrdiff_t>(kMostOfOneOrigin);
  if (!own && entries_.size() < kMostTickets) return;
  entries_.erase(own ? std::find_if(entries_.begin(), entries_.end(), is_of_origin) : entries_.begin());
  ++counters_.evicted;
}

TicketPointer TlsTickets::take(std::string_view origin) {
  for (std::size_t i = entries_.size(); i-- > 0;) {
    Entry& entry = entries_[i];
    if (entry.origin != origin) continue;
    bool usable = !expired(*entry.ticket);
    ++(usable ? counters_.offered : counters_.expired);
    if (usable && !single_use(*entry.ticket)) {
      SSL_SESSION_up_ref(entry.ticket.get());
      return TicketPointer(entry.ticket.get());
    }
    TicketPointer ticket = std::move(entry.ticket);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
    if (usable) return ticket;
  }
  return nullptr;
}

}  // namespace sluice::net
