// SPDX-License-Identifier: MIT
#include <cstdint>

#include "engine/wire/response_reader.hpp"
#include "tests/fuzz/every_cut.hpp"
#include "tests/fuzz/llhttp_fields.hpp"

// The first byte says what is answered, and whether limits are tight; the rest is what the server sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::wire;
  if (size == 0) return 0;
  const auto reply_to = static_cast<ReplyTo>(data[0] % 4);
  ReaderLimits limits;
  if ((data[0] & 4) != 0) limits = {64, 3, 2, 32, 16};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  sluice::fuzz::check_every_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    ResponseReader reader(limits);
    ResponseHead head;
    reader.start(reply_to, head);
    std::string outcome = sluice::fuzz::outcome_of(reader, pieces);
    if (!reader.failure().empty()) return outcome;
    outcome.append(std::to_string(head.status)).append(head.reason);
    sluice::fuzz::check_llhttp_agrees(head.headers);
    outcome += sluice::fuzz::text_of(head.headers);
    return outcome;
  });
  return 0;
}
