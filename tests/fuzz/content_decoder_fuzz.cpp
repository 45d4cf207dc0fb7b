// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/wire/content_decoder.hpp"

namespace {

using namespace sluice::wire;
using Event = ContentDecoder::Event;

constexpr const char* kCodings[] = {"gzip",    "deflate",    "br",           "zstd",
                                    "br,gzip", "gzip, zstd", "zstd,deflate", "gzip,foo,deflate,gzip"};
constexpr std::size_t kLargeOutput = 64 * 1024;

struct Outcome {
  bool ok = false;
  std::string content;
};

template <class Call>
Event drain(std::vector<char>& space, std::string& content, Call call) {
  while (true) {
    std::span<char> output(space);
    const Event event = call(output);
    content.append(space.data(), space.size() - output.size());
    if (event != Event::output_full) return event;
    if (!output.empty()) std::abort();
  }
}

Outcome decode(ContentDecoder decoder, std::string_view body, std::size_t piece_bytes,
               std::size_t output_bytes) {
  Outcome outcome;
  std::vector<char> space(output_bytes);
  for (; !body.empty(); body.remove_prefix(std::min(piece_bytes, body.size()))) {
    const std::string_view piece = body.substr(0, piece_bytes);
    const std::vector<char> exact(piece.begin(), piece.end());
    std::span<const char> input(exact);
    const Event event =
        drain(space, outcome.content, [&](std::span<char>& output) { return decoder.decode(input, output); });
    if (event == Event::failed) return outcome;
    if (event != Event::need_input || !input.empty()) std::abort();
  }
  const Event event =
      drain(space, outcome.content, [&](std::span<char>& output) { return decoder.finish(output); });
  outcome.ok = event == Event::end;
  if (!outcome.ok && event != Event::failed) std::abort();
  return outcome;
}

// What came out before a failure may be more or less, but the bytes are the same.
void check_same(const Outcome& a, const Outcome& b) {
  const std::size_t common = std::min(a.content.size(), b.content.size());
  if (a.ok != b.ok || (a.ok && a.content.size() != b.content.size())) std::abort();
  if (a.content.compare(0, common, b.content, 0, common) != 0) std::abort();
}

}  // namespace

// The first byte chooses the codings and the limit; the rest is the body. The content must not depend on how
// the body is cut, on the room there is for the content, or on the library that inflates.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  sluice::Headers headers;
  headers.add("Content-Encoding", kCodings[data[0] % std::size(kCodings)]);
  DecoderLimits limits;
  limits.max_decoded_bytes = (data[0] & 8) != 0 ? 100 : 128 * 1024;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  Outcome outcomes[2];
  for (Inflater inflater : {Inflater::zlib, preferred_inflater()}) {
    auto decode_by = [&](std::size_t piece_bytes, std::size_t output_bytes) {
      return decode(ContentDecoder(headers, limits, inflater), body, piece_bytes, output_bytes);
    };
    const Outcome whole = decode_by(size, kLargeOutput);
    if (whole.content.size() > limits.max_decoded_bytes) std::abort();
    for (std::size_t piece_bytes : {1, 2, 13, 200}) check_same(whole, decode_by(piece_bytes, kLargeOutput));
    check_same(whole, decode_by(7, 1000));
    check_same(whole, decode_by(size, whole.content.size() < 2000 ? 1 : 999));
    outcomes[inflater == Inflater::isal] = whole;
  }
  if (outcomes[0].ok && outcomes[1].ok) check_same(outcomes[0], outcomes[1]);
  return 0;
}
