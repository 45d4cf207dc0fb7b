// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/intrusive_list.hpp"

namespace sluice::net {

/// How much received data may wait for its readers: over all sockets of one owner, and at each of them.
///
/// When the total is used up, every socket stops its receiving; one that has nothing queued and whose reader
/// waits may then receive a little at a time, so each reader gets on and nothing deadlocks. Used by one
/// thread; outlives its members' membership.
class ReceiveBudget {
 public:
  struct Limits {
    std::uint64_t total_bytes;
    std::uint32_t high_water_bytes;  ///< a socket with so much unread stops receiving ...
    std::uint32_t low_water_bytes;   ///< ... until no more than this is left
  };

  /// A receiver that is told when the total is used up.
  class Member : public base::ListNode {
   public:
    using Function = void (*)(Member&);
    explicit Member(Function exhausted) noexcept : exhausted_(exhausted) {}

   private:
    friend class ReceiveBudget;
    Function exhausted_;
  };

  explicit ReceiveBudget(const Limits& limits) noexcept : limits_(limits) {
    limits_.low_water_bytes = std::min(limits.low_water_bytes, limits.high_water_bytes);
  }
  ReceiveBudget(const ReceiveBudget&) = delete;
  ReceiveBudget& operator=(const ReceiveBudget&) = delete;

  void join(Member& member) noexcept { members_.push_back(member); }
  void charge(std::uint64_t bytes) {
    used_bytes_ += bytes;
    if (exhausted_ || used_bytes_ <= limits_.total_bytes) return;
    exhausted_ = true;
    members_.for_each([](Member& member) { member.exhausted_(member); });
  }
  void release(std::uint64_t bytes) noexcept {
    used_bytes_ -= bytes;
    if (used_bytes_ <= limits_.total_bytes / 4 * 3) exhausted_ = false;
  }

  bool exhausted() const noexcept { return exhausted_; }
  std::uint64_t used_bytes() const noexcept { return used_bytes_; }
  const Limits& limits() const noexcept { return limits_; }

 private:
  Limits limits_;
  std::uint64_t used_bytes_ = 0;
  bool exhausted_ = false;
  base::List<Member> members_;
};

}  // namespace sluice::net
