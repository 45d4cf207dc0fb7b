// SPDX-License-Identifier: MIT
// rejected: no matching (member )?function for call to .*on_informational
#include <memory>

#include <sluice/client.hpp>

// GCC 12 would copy the lambda bit by bit and destroy it twice.
sluice::Task<void> f(sluice::AsyncClient& client) {
  auto shared = std::make_shared<int>(1);
  (void)co_await client.get("http://127.0.0.1/")
      .on_informational([shared](const sluice::InformationalResponse&) {});
}
