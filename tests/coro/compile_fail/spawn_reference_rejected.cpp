// SPDX-License-Identifier: MIT
// rejected: no matching (member )?function for call to .*spawn
#include <sluice/scope.hpp>

sluice::Task<void> increment(int& number) {
  ++number;
  co_return;
}

// A reference that is not spelled std::ref.
sluice::Task<void> f(sluice::Scope& scope, int& number) {
  scope.spawn(increment, number);
  co_return;
}
