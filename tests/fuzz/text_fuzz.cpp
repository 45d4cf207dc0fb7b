// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/wire/text_decoder.hpp"
#include "engine/wire/utf8.hpp"
#include "tests/fuzz/every_cut.hpp"

// The first byte says which charset; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::wire;
  static constexpr std::string_view kLabels[] = {
      "utf-8",        "utf-8-sig", "utf-16",      "utf-16be",      "utf-32",     "utf-7",  "latin-1",
      "windows-1255", "shift_jis", "cp932",       "euc-jp",        "euc-kr",     "cp949",  "gb2312",
      "gbk",          "gb18030",   "big5",        "iso-2022-jp",   "ascii",      "koi8-r", "macintosh",
      "iso-2022-kr",  "cp037",     "iso-2022-cn", "iso-2022-jp-2", "replacement"};
  if (size == 0) return 0;
  const Charset charset = Charset::find(kLabels[data[0] % std::size(kLabels)]).value();
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  sluice::fuzz::check_every_cut(bytes, [charset](const std::vector<std::string_view>& pieces) {
    TextDecoder decoder(charset);
    std::string text;
    auto note = [&text](std::string_view part) {
      if (well_formed_prefix(part) != part.size()) std::abort();
      text += part;
    };
    for (std::string_view piece : pieces) note(decoder.decode(piece));
    note(decoder.finish());
    return text;
  });
  return 0;
}
