// SPDX-License-Identifier: MIT
#include "engine/wire/line_splitter.hpp"

#include <cstddef>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/wire/text_decoder.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/lines.hpp"
#include "tests/support/pieces.hpp"

namespace sluice::wire {
namespace {

using Event = LineSplitter::Event;
using Lines = std::vector<std::string>;
using testing::from_hex;
using testing::Pieces;

constexpr std::size_t kNoLimit = std::size_t{1} << 30;

/// The lines of a body in UTF-8, with "(too long)" as the last where the limit is passed.
Lines lines_of(LineMode mode, const Pieces& pieces, std::size_t max_line_bytes = kNoLimit) {
  TextDecoder decoder(Charset::utf8());
  LineSplitter splitter(mode, max_line_bytes);
  Lines lines;
  auto note = [&](Event event) {
    if (event == Event::line) lines.emplace_back(splitter.line());
    return event;
  };
  auto read = [&](std::string_view text) {
    while (note(splitter.next(text)) == Event::line) continue;
  };
  for (std::string_view piece : pieces) read(decoder.decode(piece));
  read(decoder.finish());
  if (note(splitter.finish()) == Event::too_long) lines.emplace_back("(too long)");
  EXPECT_NE(splitter.finish(), Event::line);
  return lines;
}

void expect_lines_however_cut(LineMode mode, std::string_view text, const Lines& lines) {
  for (const Pieces& pieces : testing::every_cut(text)) EXPECT_EQ(lines_of(mode, pieces), lines);
}

TEST(LineSplitter, SplitsAsRecordedHoweverCut) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/line_decoder.json");
  for (const auto& row : nlohmann::json::parse(file)) {
    SCOPED_TRACE(row.dump());
    std::string whole;
    std::vector<std::string> chunks;
    for (const auto& chunk : row["chunks_hex"]) chunks.push_back(from_hex(chunk));
    for (const std::string& chunk : chunks) whole += chunk;
    EXPECT_EQ(lines_of(LineMode::universal, Pieces(chunks.begin(), chunks.end())), row["lines"].get<Lines>());
    expect_lines_however_cut(LineMode::universal, whole, row["lines"]);
  }
}

TEST(LineSplitter, EachModeHasItsEnds) {
  const std::string text =
      "a\nb\rc\r\nd\ve\xE2\x80\xA8"
      "f\n\r\n";
  expect_lines_however_cut(LineMode::universal, text, {"a", "b", "c", "d", "e", "f", ""});
  expect_lines_however_cut(LineMode::lf, text,
                           {"a", "b\rc\r",
                            "d\ve\xE2\x80\xA8"
                            "f",
                            "\r"});
  expect_lines_however_cut(LineMode::crlf, text,
                           {"a\nb\rc",
                            "d\ve\xE2\x80\xA8"
                            "f\n"});
  expect_lines_however_cut(LineMode::sse, text,
                           {"a", "b", "c",
                            "d\ve\xE2\x80\xA8"
                            "f",
                            ""});
  expect_lines_however_cut(LineMode::ndjson, text,
                           {"a", "b\rc",
                            "d\ve\xE2\x80\xA8"
                            "f"});
}

TEST(LineSplitter, CarriageReturnsThatEndNothingStay) {
  expect_lines_however_cut(LineMode::crlf, "a\r\r\nb\r", {"a\r", "b\r"});
  expect_lines_however_cut(LineMode::ndjson, "{}\r\r\n\r\n[]\r", {"{}\r", "[]\r"});
  expect_lines_however_cut(LineMode::lf, "\r", {"\r"});
}

TEST(LineSplitter, BlankLinesOfNdjsonAreLeftOut) {
  expect_lines_however_cut(LineMode::ndjson, "\n{}\n \t\n\r\n[]\n  ", {"{}", "[]"});
}

TEST(LineSplitter, OneByteOrderMarkOfAnEventStreamIsDropped) {
  const std::string mark = "\xEF\xBB\xBF";
  expect_lines_however_cut(LineMode::sse, mark + mark + "a\n" + mark + "b", {mark + "a", mark + "b"});
  expect_lines_however_cut(LineMode::sse, mark, {});
  expect_lines_however_cut(LineMode::universal, mark + "a", {mark + "a"});
}

TEST(LineSplitter, CharactersThatBeginLikeALineEndAreNone) {
  const std::string text =
      "a\xC2\xA0"
      "b\xE2\x80\xA6"
      "c\xE2\x82\xAC"
      "d\xC2\x84\xE2\x80\xAA";
  expect_lines_however_cut(LineMode::universal, text + "\xC2\x85" + text, {text, text});
}

TEST(LineSplitter, LinesWithinAPieceAreNotCopied) {
  const std::string piece = "first\r\nsecond\nthe beginning of the third";
  for (LineMode mode : {LineMode::universal, LineMode::lf, LineMode::sse, LineMode::ndjson}) {
    LineSplitter splitter(mode, kNoLimit);
    std::string_view text = piece;
    ASSERT_EQ(splitter.next(text), Event::line);
    EXPECT_EQ(splitter.line().data(), piece.data());
    ASSERT_EQ(splitter.next(text), Event::line);
    EXPECT_EQ(splitter.line().data(), piece.data() + 7);
    EXPECT_EQ(splitter.next(text), Event::need_more);
    EXPECT_TRUE(text.empty());
  }
}

TEST(LineSplitter, ALineIsGivenAsSoonAsItsCarriageReturnCame) {
  LineSplitter splitter(LineMode::sse, kNoLimit);
  std::string_view text = "data: x\r";
  EXPECT_EQ(splitter.next(text), Event::line);
  EXPECT_EQ(splitter.line(), "data: x");
  text = "\n";
  EXPECT_EQ(splitter.next(text), Event::need_more);
}

TEST(LineSplitter, TooLongLinesEndItAtTheSamePlaceHoweverCut) {
  constexpr std::string_view text = "1234\r\n12345\r\nx\n";
  const std::vector<std::pair<LineMode, Lines>> rows = {{LineMode::universal, {"1234", "(too long)"}},
                                                        {LineMode::sse, {"1234", "(too long)"}},
                                                        {LineMode::crlf, {"1234", "(too long)"}},
                                                        {LineMode::ndjson, {"1234", "(too long)"}},
                                                        {LineMode::lf, {"(too long)"}}};
  for (const auto& [mode, lines] : rows) {
    for (const Pieces& pieces : testing::every_cut(text)) EXPECT_EQ(lines_of(mode, pieces, 4), lines);
    for (const Pieces& pieces : testing::every_cut(text.substr(0, 11)))
      EXPECT_EQ(lines_of(mode, pieces, 4), lines);
  }
  EXPECT_EQ(lines_of(LineMode::lf, {"1234"}, 4), Lines{"1234"});
  EXPECT_EQ(lines_of(LineMode::crlf, {"1234\r"}, 4), Lines{"(too long)"});
}

TEST(LineSplitter, ATooLongLineIsNoticedBeforeItsEnd) {
  LineSplitter splitter(LineMode::universal, 1000);
  const std::string piece(400, 'x');
  std::vector<Event> events;
  for (int i = 0; i < 3; ++i) {
    std::string_view text = piece;
    events.push_back(splitter.next(text));
  }
  EXPECT_EQ(events, (std::vector<Event>{Event::need_more, Event::need_more, Event::too_long}));
}

TEST(LineSplitter, RandomTextsGiveTheDefinedLinesHoweverCut) {
  std::mt19937 random(20260728);
  const std::vector<std::string> parts = {"a",
                                          "bc",
                                          "\n",
                                          "\r",
                                          "\r\n",
                                          "\v",
                                          " ",
                                          "\x1C",
                                          "\x1F",
                                          "\xC2\x85",
                                          "\xC2\x86",
                                          "\xE2\x80\xA8",
                                          "\xE2\x80\xA9",
                                          "\xE2\x80\xAA",
                                          "\xEF\xBB\xBF",
                                          "a line of some length, longer than a vector is",
                                          "\xC3\xA9"};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random() % 30; i > 0; --i) text += parts[random() % parts.size()];
    for (LineMode mode : testing::kLineModes) {
      const Lines lines = testing::defined_lines(mode, text);
      ASSERT_EQ(lines_of(mode, {text}), lines) << ::testing::PrintToString(text);
      ASSERT_EQ(lines_of(mode, testing::random_cut(text, random)), lines) << ::testing::PrintToString(text);
    }
  }
}

/// Anything but linear time would not end within the time of a test.
TEST(LineSplitter, ALineOf64MegabytesTakesLinearTime) {
  constexpr std::size_t kPieces = 1 << 16;
  for (LineMode mode : testing::kLineModes) {
    // What almost ends a line, in pieces of 1 KiB.
    const std::string almost = mode == LineMode::crlf        ? "\n\n"
                               : mode == LineMode::universal ? "\xC2\x86"
                                                             : "xy";
    std::string piece;
    while (piece.size() < 1024) piece += almost;
    LineSplitter splitter(mode, kNoLimit);
    for (std::size_t i = 0; i < kPieces; ++i) {
      std::string_view text = piece;
      ASSERT_EQ(splitter.next(text), Event::need_more);
    }
    std::string_view end = "\r\n.";
    ASSERT_EQ(splitter.next(end), Event::line);
    EXPECT_EQ(splitter.line().size(), kPieces * piece.size() + (mode == LineMode::lf ? 1 : 0));
    EXPECT_EQ(splitter.next(end), Event::need_more);
    EXPECT_EQ(splitter.finish(), Event::line);
    EXPECT_EQ(splitter.line(), ".");
  }
}

}  // namespace
}  // namespace sluice::wire
