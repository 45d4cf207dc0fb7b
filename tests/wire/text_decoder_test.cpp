// SPDX-License-Identifier: MIT
#include "engine/wire/text_decoder.hpp"

#include <array>
#include <cstddef>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "engine/wire/utf8.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/pieces.hpp"

namespace sluice::wire {
namespace {

using nlohmann::json;
using testing::from_hex;
using testing::Pieces;

std::string decode(Charset charset, const Pieces& pieces) {
  TextDecoder decoder(charset);
  std::string text;
  for (std::string_view piece : pieces) text += decoder.decode(piece);
  text += decoder.finish();
  return text;
}

std::string decode(std::string_view label, std::string_view bytes) {
  return decode_text(Charset::find(label).value(), bytes);
}

void expect_text_however_cut(Charset charset, std::string_view bytes, const std::string& text) {
  for (const Pieces& pieces : testing::every_cut(bytes)) EXPECT_EQ(decode(charset, pieces), text);
}

/// Where HTTPX raises, the default encoding is used.
json with_deviation(json row) {
  if (row.contains("error")) {
    row["encoding"] = "utf-8";
    row["text"] = from_hex(row["body_hex"]);
    const std::string type = row["content_type"];
    row["charset_encoding"] = type.substr(type.find('=') + 1);
  }
  return row;
}

TEST(TextDecoder, DecodesAsRecordedHoweverCut) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/text_decoder.json");
  for (const json& recorded : json::parse(file)) {
    SCOPED_TRACE(recorded.dump());
    const json row = with_deviation(recorded);
    std::optional<std::string> label;
    if (row["content_type"].is_string()) label = charset_of(row["content_type"].get<std::string>());
    EXPECT_EQ(label ? json(*label) : json(nullptr), row["charset_encoding"]);
    const std::string encoding =
        label && Charset::find(*label) ? *label : row.value("default_encoding", "utf-8");
    EXPECT_EQ(row["encoding"], row.contains("default_encoding") ? json("shift-jis") : json(encoding));
    expect_text_however_cut(Charset::find(encoding).value(), from_hex(row["body_hex"]), row["text"]);
  }
}

TEST(TextDecoder, ReplacesMaximalPartsOfIllFormedUtf8) {
  const std::vector<std::array<std::string, 2>> rows = {
      {"\x80", "?"},
      {"\xC0\xAF", "??"},
      {"\xC1\xBF", "??"},
      {"\xE0\x80\xAF", "???"},
      {"\xE0\x9F\xBF", "???"},
      {"\xED\xA0\x80", "???"},
      {"\xED\x9F\xBF", "\xED\x9F\xBF"},
      {"\xEE\x80\x80", "\xEE\x80\x80"},
      {"\xF0\x8F\xBF\xBF", "????"},
      {"\xF0\x90\x80\x80", "\xF0\x90\x80\x80"},
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
      {"\xF4\x90\x80\x80", "????"},
      {"\xF5\x80\x80\x80", "????"},
      {"\xFF\xFE", "??"},
      {"\xE2\x82", "?"},
      {"\xE2\x82"
       "a",
       "?a"},
      {"\xF0\x9F\x98"
       "ab",
       "?ab"},
      {"\xF0\x9F\xC3\xA9", "?\xC3\xA9"},
      {"\xC3\xC3\xA9", "?\xC3\xA9"},
      // Unicode 15, table 3-8
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
       "A",
       "????A"},
  };
  for (const auto& [bytes, sketch] : rows) {
    std::string text;
    for (char c : sketch) text += c == '?' ? std::string(kReplacement) : std::string(1, c);
    for (std::size_t padding : {0, 3, 15, 16, 61, 64}) {  // so that each loop of the scan meets it
      const std::string before(padding, 'x');
      SCOPED_TRACE(::testing::PrintToString(before + bytes));
      expect_text_however_cut(Charset::utf8(), before + bytes, before + text);
      expect_text_however_cut(Charset::utf8(), before + bytes + "yyyy", before + text + "yyyy");
    }
  }
}

/// Bytes in the code point at the start of the text: the one whose encoding stands there. 0 if there is none.
std::size_t first_code_point_bytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xC0 ? 0
                           : lead < 0xE0 ? 2
                           : lead < 0xF0 ? 3
                           : lead < 0xF8 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) return 0;
  char32_t point = size == 1 ? lead : lead & (0x7FU >> size);
  for (char c : text.substr(1, size - 1)) point = (point << 6) | (c & 0x3F);
  detail::String encoded;
  append_utf8(encoded, point);
  return encoded == text.substr(0, size) ? size : 0;
}

std::size_t defined_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t size = first_code_point_bytes(text.substr(at));
    if (size == 0) break;
    at += size;
  }
  return at;
}

TEST(Utf8, WellFormedIsWhatCodePointsAreEncodedTo) {
  // The bounds of each class of bytes in table 3-7 of Unicode 15.
  constexpr std::string_view kBounds =
      "\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF";
  for (char a : kBounds) {
    for (char b : kBounds) {
      for (char c : kBounds) {
        for (char d : kBounds) {
          const std::string bytes{a, b, c, d, '.', '.', '.', '.'};
          for (std::size_t size : {2, 3, 4, 8}) {  // four bytes are read at once where they are there
            const std::string_view text = std::string_view(bytes).substr(0, size);
            ASSERT_EQ(well_formed_prefix(text), defined_prefix(text)) << ::testing::PrintToString(text);
          }
        }
      }
    }
  }
}

TEST(TextDecoder, ValidUtf8IsNotCopied) {
  TextDecoder decoder(Charset::utf8());
  const std::string piece = "plain, caf\xC3\xA9, and the first half of \xE2\x82";
  const std::string_view text = decoder.decode(piece);
  EXPECT_EQ(text.data(), piece.data());
  EXPECT_EQ(text.size(), piece.size() - 2);
  EXPECT_EQ(decoder.decode(std::string_view("\xAC!")), "\xE2\x82\xAC!");
  EXPECT_EQ(decoder.decode(piece).data(), piece.data());
  EXPECT_EQ(decoder.finish(), kReplacement);
  EXPECT_EQ(decoder.finish(), "");
}

TEST(TextDecoder, AsciiInCharsetsAboveAsciiIsNotCopied) {
  const std::string piece = "plain";
  for (auto label : {"us-ascii", "latin-1", "windows-1252", "koi8-r"}) {
    TextDecoder decoder(Charset::find(label).value());
    EXPECT_EQ(decoder.decode(piece).data(), piece.data()) << label;
  }
}

TEST(TextDecoder, MayBeMoved) {
  TextDecoder decoder(Charset::find("euc-jp").value());
  EXPECT_EQ(decoder.decode(std::string_view("a\xA4")), "a");
  TextDecoder other = std::move(decoder);
  EXPECT_EQ(other.decode(std::string_view("\xB3")), "\xE3\x81\x93");
}

TEST(TextDecoder, ByteOrderMarksAreDroppedOnlyWhereTheCharsetCallsForOne) {
  EXPECT_EQ(decode("utf-8", "\xEF\xBB\xBFx"), "\xEF\xBB\xBFx");
  EXPECT_EQ(decode("utf-8-sig", "\xEF\xBB\xBFx\xEF\xBB\xBF"), "x\xEF\xBB\xBF");
  EXPECT_EQ(decode("utf-8-sig", "x"), "x");
  expect_text_however_cut(Charset::find("utf-8-sig").value(), "\xEF\xBB\xBFx", "x");
  EXPECT_EQ(decode("utf-16le", {"\xFF\xFEx\0", 4}), "\xEF\xBB\xBFx");
  EXPECT_EQ(decode("utf-32be", {"\0\0\xFE\xFF", 4}), "\xEF\xBB\xBF");
}

TEST(TextDecoder, Utf16WithoutAMarkIsLittleEndian) {
  EXPECT_EQ(decode("utf-16", {"h\0i\0", 4}), "hi");
  EXPECT_EQ(decode("utf-32", {"h\0\0\0", 4}), "h");
  EXPECT_EQ(decode("utf-16", {"\xFE\xFF\0h\xFE\xFF", 6}), "h\xEF\xBB\xBF");
}

TEST(TextDecoder, ReplacesLoneSurrogatesAndIncompleteUnits) {
  const auto big = Charset::find("utf-16be").value();
  expect_text_however_cut(big, {"\xD8\x3D\xDE\0", 4}, "\xF0\x9F\x98\x80");
  expect_text_however_cut(big, {"\xD8\x3D\0A", 4}, std::string(kReplacement) + "A");
  expect_text_however_cut(big, {"\xDC\0\0A", 4}, std::string(kReplacement) + "A");
  expect_text_however_cut(big, {"\0A\xD8\0\xDC", 5}, "A" + std::string(kReplacement));
  const auto wide = Charset::find("utf-32be").value();
  expect_text_however_cut(
      wide, {"\0\x11\0\0\0\0\xD8\0\0\0\0A\0", 13},
      std::string(kReplacement) + std::string(kReplacement) + "A" + std::string(kReplacement));
}

TEST(TextDecoder, UndefinedBytesAreReplacedOneByOne) {
  const std::string replacement(kReplacement);
  EXPECT_EQ(decode("ascii", "a\x80\xFF"), "a" + replacement + replacement);
  EXPECT_EQ(decode("windows-1252", "\x81\x80"), replacement + "\xE2\x82\xAC");
  EXPECT_EQ(decode("euc-jp", "\x80\xA4\xB3\xFF"), replacement + "\xE3\x81\x93" + replacement);
  EXPECT_EQ(decode("gbk", "\xFF\xD6\xD0"), replacement + "\xE4\xB8\xAD");
  EXPECT_EQ(decode("x-user-defined", "a\x80\xFF"), "a\xEF\x9E\x80\xEF\x9F\xBF");
  EXPECT_EQ(decode("replacement", "abc"), replacement);
  EXPECT_EQ(decode("replacement", ""), "");
}

/// glibc reads these two bytes as YEN SIGN and OVERLINE, which would break every JSON string in Shift_JIS.
TEST(TextDecoder, AsciiStaysAsciiInShiftJis) {
  std::string ascii;
  for (char c = 0; c < 0x7F; ++c) ascii += c;
  for (auto label :
       {"shift_jis", "windows-31j", "euc-jp", "gbk", "gb18030", "big5", "euc-kr", "windows-949"}) {
    EXPECT_EQ(decode(label, ascii), ascii) << label;
  }
  EXPECT_EQ(decode("shift_jis", "\x83\x5C\\~"), "\xE3\x82\xBD\\~");
}

/// Two code points for one pair of bytes, and a letter that iconv holds back until it sees the next one.
TEST(TextDecoder, CombinedCharactersComeOutWhole) {
  expect_text_however_cut(Charset::find("big5-hkscs").value(), "\x88\x62\x88\x66",
                          "\xC3\x8A\xCC\x84\xC3\x8A");
  expect_text_however_cut(Charset::find("windows-1255").value(), "\xE9\xC7", "\xD7\x99\xD6\xB7");
}

TEST(TextDecoder, StatefulCharsetsKeepTheirStateAcrossPieces) {
  expect_text_however_cut(Charset::find("iso-2022-jp").value(), "a\x1B$B$3\x1B(Bb",
                          "a\xE3\x81\x93"
                          "b");
  expect_text_however_cut(Charset::find("utf-7").value(), "a+AOk-b",
                          "a\xC3\xA9"
                          "b");
}

TEST(TextDecoder, AnEmptyPieceChangesNothing) {
  for (auto label : {"utf-8", "utf-16", "latin-1", "koi8-r", "euc-jp", "replacement"}) {
    TextDecoder decoder(Charset::find(label).value());
    EXPECT_EQ(decoder.decode({}), "") << label;
    EXPECT_EQ(decoder.finish(), "") << label;
  }
}

/// Slim systems lack the files of iconv's tables. Without descriptors they cannot be opened either.
TEST(TextDecoder, WithoutTheTableTextIsReadAsUtf8) {
  ASSERT_TRUE(Iconv("KOI8-R").open());  // iconv knows by now which tables there are
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {0, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool open = Iconv("RK1048").open();
  const std::string text = decode("kz-1048", "caf\xC3\xA9\xFF");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_FALSE(open);
  EXPECT_EQ(text, "caf\xC3\xA9\xEF\xBF\xBD");
}

TEST(TextDecoder, RandomBytesGiveTheSameValidTextHoweverCut) {
  std::mt19937 random(20260728);
  const std::vector<std::string> labels = {
      "utf-8", "utf-16", "utf-32be",    "shift_jis",    "euc-jp", "gb18030",     "big5",
      "gbk",   "euc-kr", "iso-2022-jp", "windows-1255", "utf-7",  "iso-2022-kr", "cp932"};
  for (int round = 0; round < 3000; ++round) {
    const Charset charset = Charset::find(labels[random() % labels.size()]).value();
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 3 == 0 ? 0x20 + random() % 0x60 : random());
    const std::string whole = decode_text(charset, bytes);
    EXPECT_EQ(well_formed_prefix(whole), whole.size());
    EXPECT_EQ(decode(charset, testing::random_cut(bytes, random)), whole) << charset.name();
  }
}

}  // namespace
}  // namespace sluice::wire
