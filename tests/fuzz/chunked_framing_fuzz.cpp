// SPDX-License-Identifier: MIT
#include <cstdint>

#include "engine/wire/response_reader.hpp"
#include "tests/fuzz/every_cut.hpp"

// The first byte says whether limits are tight; the rest is what follows the head of a chunked response.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::wire;
  if (size == 0) return 0;
  ReaderLimits limits;
  if ((data[0] & 1) != 0) limits = {64, 3, 2, 32, 16};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  sluice::fuzz::check_every_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    ResponseReader reader(limits);
    ResponseHead head;
    reader.start(ReplyTo::request, head);
    std::vector<std::string_view> message{"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"};
    message.insert(message.end(), pieces.begin(), pieces.end());
    return sluice::fuzz::outcome_of(reader, message);
  });
  return 0;
}
