// SPDX-License-Identifier: MIT
#include <cstdint>

#include "engine/wire/request_reader.hpp"
#include "tests/fuzz/every_cut.hpp"
#include "tests/fuzz/llhttp_fields.hpp"

// The first byte says whether limits are tight; the rest is what the client sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::wire;
  if (size == 0) return 0;
  ReaderLimits limits;
  if ((data[0] & 1) != 0) limits = {64, 3, 2, 32, 16};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  sluice::fuzz::check_every_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    RequestReader reader(limits);
    RequestHead head;
    reader.start(head);
    std::string outcome = sluice::fuzz::outcome_of(reader, pieces);
    if (!reader.failure().empty()) return outcome;
    outcome.append(head.method.name()).append(" ").append(head.target);
    sluice::fuzz::check_llhttp_agrees(head.headers);
    outcome += sluice::fuzz::text_of(head.headers);
    return outcome;
  });
  return 0;
}
