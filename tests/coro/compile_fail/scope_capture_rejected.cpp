// SPDX-License-Identifier: MIT
// rejected: no matching function for call to .*scope
#include <memory>

#include <sluice/scope.hpp>

sluice::Task<void> f() {
  auto shared = std::make_shared<int>(1);
  co_await sluice::scope([shared](sluice::Scope&) -> sluice::Task<void> { co_return; });
}
