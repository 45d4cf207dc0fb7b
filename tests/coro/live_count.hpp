// SPDX-License-Identifier: MIT
#pragma once

namespace sluice::testing {

/// Counts its living objects, and notices one that is destroyed twice or was copied bit by bit.
class Counted {
 public:
  Counted() noexcept { ++live; }
  Counted(const Counted&) noexcept { ++live; }
  Counted(Counted&&) noexcept { ++live; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() {
    if (self_ != this) ++misplaced;
    self_ = nullptr;
    --live;
  }

  static inline int live = 0;
  static inline int misplaced = 0;

 private:
  const Counted* self_ = this;
};

}  // namespace sluice::testing
