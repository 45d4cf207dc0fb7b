// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/wire/line_splitter.hpp"
#include "engine/wire/text_decoder.hpp"
#include "tests/fuzz/every_cut.hpp"
#include "tests/support/lines.hpp"

namespace {

using namespace sluice;
using wire::LineSplitter;

/// The lines, each behind its length.
std::string lines_of(LineMode mode, std::size_t max_line_bytes, const std::vector<std::string_view>& pieces) {
  wire::TextDecoder decoder(wire::Charset::utf8());
  LineSplitter splitter(mode, max_line_bytes);
  std::string lines;
  auto note = [&](LineSplitter::Event event) {
    if (event != LineSplitter::Event::line) return false;
    if (splitter.line().size() > max_line_bytes) std::abort();
    lines += std::to_string(splitter.line().size()) + ":";
    lines += splitter.line();
    return true;
  };
  auto read = [&](std::string_view text) {
    while (note(splitter.next(text))) continue;
  };
  for (std::string_view piece : pieces) read(decoder.decode(piece));
  read(decoder.finish());
  note(splitter.finish());
  if (splitter.finish() == LineSplitter::Event::too_long) lines += "too long";
  return lines;
}

std::string defined_lines(LineMode mode, std::string_view text) {
  std::string lines;
  for (const std::string& line : testing::defined_lines(mode, text)) {
    lines += std::to_string(line.size()) + ":" + line;
  }
  return lines;
}

}  // namespace

// The first byte says what ends a line, and whether the limit is tight; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const LineMode mode = testing::kLineModes[(data[0] & 0x7F) % std::size(testing::kLineModes)];
  const bool tight = (data[0] & 0x80) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto read = [&](const std::vector<std::string_view>& pieces) {
    return lines_of(mode, tight ? 8 : size * 3, pieces);
  };
  fuzz::check_every_cut(bytes, read);
  if (!tight && read({bytes}) != defined_lines(mode, wire::decode_text(wire::Charset::utf8(), bytes)))
    std::abort();
  return 0;
}
