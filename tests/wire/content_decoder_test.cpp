// SPDX-License-Identifier: MIT
#include "engine/wire/content_decoder.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/encoders.hpp"

namespace sluice::wire {

void PrintTo(Inflater inflater, std::ostream* out) {
  *out << (inflater == Inflater::isal ? "isal" : "zlib");
}

namespace {

using Event = ContentDecoder::Event;
using testing::brotli;
using testing::gzip;
using testing::raw_deflate;
using testing::zlib;
using testing::zstd;

constexpr std::size_t kLargeOutput = 64 * 1024;

/// What decoding a body up to its end came to.
struct Outcome {
  bool ok = false;
  std::string content;
  std::string failure;
  bool limit_reached = false;

  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << (outcome.ok ? "{ok, " : "{failed, ") << outcome.content.size() << " bytes, '" << outcome.failure
       << "'}";
}

struct Setting {
  Inflater inflater = preferred_inflater();
  std::size_t output_bytes = kLargeOutput;
  DecoderLimits limits = {};
};

/// Calls until everything has come out, through a space of its own, so that writing beyond it is seen.
template <class Call>
Event drain(std::vector<char>& space, std::string& content, Call call) {
  while (true) {
    std::span<char> output(space);
    const Event event = call(output);
    content.append(space.data(), space.size() - output.size());
    if (event != Event::output_full) return event;
    EXPECT_TRUE(output.empty());
  }
}

Outcome decode_with(ContentDecoder decoder, const std::vector<std::string>& pieces,
                    std::size_t output_bytes) {
  Outcome outcome;
  Event last = Event::need_input;
  std::size_t consumed = 0;
  std::vector<char> space(output_bytes);
  for (const std::string& piece : pieces) {
    if (last == Event::failed) break;
    std::vector<char> exact(piece.begin(), piece.end());
    std::span<const char> input(exact);
    last =
        drain(space, outcome.content, [&](std::span<char>& output) { return decoder.decode(input, output); });
    consumed += exact.size() - input.size();
    if (last == Event::failed) break;
    EXPECT_EQ(last, Event::need_input);
    EXPECT_TRUE(input.empty());
  }
  if (last != Event::failed)
    last = drain(space, outcome.content, [&](std::span<char>& output) { return decoder.finish(output); });
  outcome.ok = last == Event::end;
  outcome.failure = decoder.failure();
  outcome.limit_reached = decoder.limit_reached();
  EXPECT_EQ(outcome.ok, outcome.failure.empty());
  EXPECT_EQ(decoder.decoded_bytes(), outcome.content.size());
  EXPECT_EQ(decoder.coded_bytes(), consumed);
  return outcome;
}

Outcome decode_pieces(const std::string& codings, const std::vector<std::string>& pieces,
                      const Setting& setting) {
  return decode_with(ContentDecoder({{"Content-Encoding", codings}}, setting.limits, setting.inflater),
                     pieces, setting.output_bytes);
}

Outcome decode(const std::string& codings, const std::string& body, const Setting& setting = {}) {
  return decode_pieces(codings, {body}, setting);
}

std::vector<std::string> single_bytes(const std::string& bytes) {
  std::vector<std::string> pieces;
  for (char c : bytes) pieces.emplace_back(1, c);
  return pieces;
}

/// The outcome, which must be the same however the body is cut and whatever room there is for the content.
/// What was put out before a failure may differ, but not say different things.
Outcome decode_every_way(const std::string& codings, const std::string& body, Setting setting) {
  const Outcome whole = decode(codings, body, setting);
  auto expect_same = [&](const Outcome& other, const std::string& way) {
    if (whole.ok) {
      EXPECT_EQ(other, whole) << way;
    } else {
      EXPECT_FALSE(other.ok) << way;
      EXPECT_EQ(other.failure, whole.failure) << way;
      const std::size_t common = std::min(other.content.size(), whole.content.size());
      EXPECT_EQ(other.content.substr(0, common), whole.content.substr(0, common)) << way;
    }
  };
  for (std::size_t cut = 1; cut < body.size(); ++cut) {
    expect_same(decode_pieces(codings, {body.substr(0, cut), body.substr(cut)}, setting),
                "cut at " + std::to_string(cut));
  }
  expect_same(decode_pieces(codings, single_bytes(body), setting), "byte by byte");
  setting.output_bytes = 1;
  expect_same(decode(codings, body, setting), "into single bytes");
  expect_same(decode_pieces(codings, single_bytes(body), setting), "byte by byte into single bytes");
  return whole;
}

/// Words, some often and some seldom, with a line end here and there.
std::string text_of(std::size_t bytes) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < bytes) {
    const unsigned word = random() % (1 + random() % 500);
    for (unsigned rest = word + 1; rest != 0; rest /= 5) text += static_cast<char>('a' + rest % 23);
    text += random() % 12 == 0 ? '\n' : ' ';
  }
  text.resize(bytes);
  return text;
}

std::string noise_of(std::size_t bytes) {
  std::mt19937 random(11);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

std::string skippable_frame(const std::string& payload) {
  std::string frame = "\x53\x2A\x4D\x18";
  frame += static_cast<char>(payload.size());
  return frame + std::string(3, '\0') + payload;
}

struct CodedBody {
  std::string name;
  std::string codings;
  std::string body;
  std::string content;
  std::set<std::size_t> complete_at = {};  // where a prefix of the body is whole, too
};

std::vector<CodedBody> coded_bodies() {
  const std::string text = text_of(700) + noise_of(150) + text_of(350);
  const std::string half = text.substr(0, 500);
  const std::string rest = text.substr(500);
  std::vector<CodedBody> bodies;
  for (int level : {0, 1, 6, 9}) {
    const std::string suffix = ", level " + std::to_string(level);
    bodies.push_back({"gzip" + suffix, "gzip", gzip(text, level), text});
    bodies.push_back({"zlib" + suffix, "deflate", zlib(text, level), text});
    bodies.push_back({"raw" + suffix, "deflate", raw_deflate(text, level), text});
  }
  for (int strategy : {Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE}) {
    const std::string suffix = ", strategy " + std::to_string(strategy);
    bodies.push_back({"gzip" + suffix, "gzip", gzip(text, 6, strategy), text});
    bodies.push_back({"raw" + suffix, "deflate", raw_deflate(text, 6, strategy), text});
  }
  for (const std::string& content : {std::string(), std::string("x"), std::string(1000, 'a')}) {
    const std::string suffix = " of " + std::to_string(content.size());
    bodies.push_back({"gzip" + suffix, "gzip", gzip(content), content});
    bodies.push_back({"zlib" + suffix, "deflate", zlib(content), content});
    bodies.push_back({"raw" + suffix, "deflate", raw_deflate(content), content});
    bodies.push_back({"br" + suffix, "br", brotli(content), content});
    bodies.push_back({"zstd" + suffix, "zstd", zstd(content), content});
  }
  bodies.push_back({"gzip with all fields", "gzip", testing::gzip_with_all_fields(text), text});
  const std::string first = gzip(half);
  const std::string second = gzip(rest);
  bodies.push_back({"gzip members", "gzip", first + second, text, {first.size()}});
  const std::string empty_member = gzip("");
  bodies.push_back({"gzip, empty member last",
                    "x-gzip",
                    first + second + empty_member,
                    text,
                    {first.size(), first.size() + second.size()}});
  bodies.push_back(
      {"gzip, empty member first", "gzip", empty_member + gzip(text), text, {empty_member.size()}});
  const std::string one = gzip(text);
  bodies.push_back({"gzip, then zeros",
                    "gzip",
                    one + std::string(3, '\0'),
                    text,
                    {one.size(), one.size() + 1, one.size() + 2}});
  bodies.push_back({"br, quality 0", "br", brotli(text, 0), text});
  bodies.push_back({"br, quality 11", "br", brotli(text, 11, 24), text});
  bodies.push_back({"zstd", "zstd", zstd(text), text});
  bodies.push_back({"zstd without size", "zstd", zstd(text, 3, 0, false), text});
  bodies.push_back({"zstd, level 19", "zstd", zstd(text, 19), text});
  const std::string first_frame = zstd(half);
  bodies.push_back({"zstd frames", "zstd", first_frame + zstd(rest), text, {first_frame.size()}});
  const std::string skipped = skippable_frame("to be skipped");
  const std::string frame = zstd(text);
  bodies.push_back({"zstd, skippable frames",
                    "zstd",
                    skipped + frame + skipped,
                    text,
                    {skipped.size(), skipped.size() + frame.size()}});
  bodies.push_back({"deflate in gzip", "deflate, gzip", gzip(zlib(text)), text});
  bodies.push_back({"gzip in gzip", "gzip,gzip", gzip(gzip(text)), text});
  bodies.push_back({"three codings", "gzip, br, zstd", zstd(brotli(gzip(text))), text});
  bodies.push_back(
      {"five codings", "br, x-gzip,deflate ,, zstd,GZIP", gzip(zstd(raw_deflate(gzip(brotli(text))))), text});
  return bodies;
}

class ContentDecoderTest : public ::testing::TestWithParam<Inflater> {
 protected:
  Setting setting(DecoderLimits limits = {}) const { return {GetParam(), kLargeOutput, limits}; }
};

std::vector<Inflater> inflaters() {
  std::vector<Inflater> all{Inflater::zlib};
  if (available(Inflater::isal)) all.push_back(Inflater::isal);
  return all;
}

INSTANTIATE_TEST_SUITE_P(, ContentDecoderTest, ::testing::ValuesIn(inflaters()),
                         [](const auto& test) { return test.param == Inflater::isal ? "isal" : "zlib"; });

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// What HTTPX does with each row, but for the rows in which it returns less than was sent, or fails for the
// way in which the body arrived.
TEST_P(ContentDecoderTest, RecordedCases) {
  static const std::map<std::string, std::string> kDecodedInFull = {
      {"gzip two members", "foobar"},
      {"deflate raw 1-byte chunks", "test 123"},
  };
  static const std::set<std::string> kRefused = {"gzip truncated half", "zlib truncated"};
  std::ifstream file(SLUICE_TEST_DATA_DIR "/content_encoding.json");
  std::size_t deviations = 0;
  for (const auto& row : nlohmann::json::parse(file)) {
    const std::string name = row["name"];
    Headers headers;
    for (const auto& field : row["headers"]) headers.add(std::string(field[0]), std::string(field[1]));
    std::vector<std::string> pieces;
    std::size_t body_bytes = 0;
    for (const auto& hex : row["chunks_hex"]) {
      pieces.push_back(from_hex(hex));
      body_bytes += pieces.back().size();
    }
    const Outcome outcome = decode_with(ContentDecoder(headers, {}, GetParam()), pieces, kLargeOutput);
    if (auto ours = kDecodedInFull.find(name); ours != kDecodedInFull.end()) {
      EXPECT_TRUE(outcome.ok) << name << ": " << outcome.failure;
      EXPECT_EQ(outcome.content, ours->second) << name;
      ++deviations;
    } else if (kRefused.count(name) != 0) {
      EXPECT_FALSE(outcome.ok) << name;
      ++deviations;
    } else if (row.contains("error")) {
      EXPECT_FALSE(outcome.ok) << name;
      EXPECT_FALSE(outcome.limit_reached) << name;
    } else {
      EXPECT_TRUE(outcome.ok) << name << ": " << outcome.failure;
      EXPECT_EQ(outcome.content, row["body"]) << name;
      EXPECT_EQ(body_bytes, row["nbytes_downloaded"]) << name;
    }
  }
  EXPECT_EQ(deviations, kDecodedInFull.size() + kRefused.size());
}

TEST_P(ContentDecoderTest, EveryCutGivesTheSameContent) {
  for (const CodedBody& coded : coded_bodies()) {
    SCOPED_TRACE(coded.name);
    const Outcome outcome = decode_every_way(coded.codings, coded.body, setting());
    EXPECT_TRUE(outcome.ok) << outcome.failure;
    EXPECT_EQ(outcome.content, coded.content);
  }
}

TEST_P(ContentDecoderTest, CutShortAtEveryByteIsAFailure) {
  for (const CodedBody& coded : coded_bodies()) {
    SCOPED_TRACE(coded.name);
    for (std::size_t size = 1; size < coded.body.size(); ++size) {
      const Outcome outcome = decode(coded.codings, coded.body.substr(0, size), setting());
      EXPECT_EQ(outcome.ok, coded.complete_at.count(size) != 0) << "after " << size;
      EXPECT_EQ(outcome.content, coded.content.substr(0, outcome.content.size())) << "after " << size;
      if (!outcome.ok) {
        EXPECT_NE(outcome.failure.find(" content is cut short"), std::string::npos) << outcome.failure;
        EXPECT_FALSE(outcome.limit_reached);
      }
    }
  }
}

// Checksums find every flipped bit that matters; where there is none (br, raw deflate) nothing worse may
// happen than wrong content.
TEST_P(ContentDecoderTest, AFlippedBitGivesNoWrongContentWhereThereIsAChecksum) {
  const std::string text = text_of(150);
  const std::map<std::string, std::pair<std::string, bool>> bodies = {
      {"gzip", {gzip(text), true}},
      {"deflate", {zlib(text), true}},
      {"zstd", {zstd(text), true}},
      {"br", {brotli(text), false}},
      {"deflate ", {raw_deflate(text), false}},
      {"br,gzip", {gzip(brotli(text)), true}},
  };
  for (const auto& [codings, body_and_checksum] : bodies) {
    const auto& [body, checksum] = body_and_checksum;
    std::size_t failures = 0;
    for (std::size_t bit = 0; bit < 8 * body.size(); ++bit) {
      std::string flipped = body;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      const Outcome outcome = decode(codings, flipped, setting());
      const Outcome single = decode_pieces(codings, single_bytes(flipped), setting());
      EXPECT_EQ(outcome.ok, single.ok) << codings << ", bit " << bit;
      if (outcome.ok) {
        EXPECT_EQ(outcome.content, single.content) << codings << ", bit " << bit;
      } else {
        ++failures;
      }
      if (outcome.ok && checksum) {
        EXPECT_EQ(outcome.content, text) << codings << ", bit " << bit;
      }
    }
    EXPECT_GT(failures, body.size()) << codings;
  }
}

TEST_P(ContentDecoderTest, BytesAfterTheContentAreAFailure) {
  const std::string text = text_of(300);
  for (const std::string& trailing :
       {std::string("x"), std::string("garbage, and more of it than eight bytes")}) {
    const std::vector<std::pair<std::string, std::string>> bodies = {
        {"gzip", gzip(text) + trailing},
        {"gzip", gzip(text) + std::string("\0\0", 2) + trailing},
        {"deflate", zlib(text) + trailing},
        {"deflate", raw_deflate(text) + trailing},
        {"br", brotli(text) + trailing},
        {"zstd", zstd(text) + trailing},
        {"gzip, br", brotli(gzip(text) + trailing)},
    };
    for (const auto& [codings, body] : bodies) {
      SCOPED_TRACE(codings);
      const Outcome outcome = decode_every_way(codings, body, setting());
      EXPECT_FALSE(outcome.ok);
      EXPECT_NE(outcome.failure.find(" content is followed by other bytes"), std::string::npos)
          << outcome.failure;
    }
  }
}

TEST_P(ContentDecoderTest, AFaultInALaterMemberIsAFailure) {
  std::string body = gzip("foo") + gzip("bar");
  body[body.size() - 8] ^= 1;  // of the second member's checksum
  const Outcome outcome = decode_every_way("gzip", body, setting());
  EXPECT_EQ(outcome.failure, "gzip content is malformed");
  EXPECT_EQ(outcome.content.substr(0, 3), "foo");
}

TEST_P(ContentDecoderTest, TheHeaderChecksumCounts) {
  std::string body = testing::gzip_with_all_fields("content");
  ASSERT_TRUE(decode("gzip", body, setting()).ok);
  body[14] ^= 1;  // of the extra field
  EXPECT_EQ(decode_every_way("gzip", body, setting()).failure, "gzip content is malformed");
}

TEST_P(ContentDecoderTest, APresetDictionaryIsRefused) {
  const std::string body = std::string("\x78\xBB\x01\x02\x03\x04", 6) + raw_deflate("content");
  EXPECT_EQ(decode_every_way("deflate", body, setting()).failure, "deflate content is malformed");
}

TEST_P(ContentDecoderTest, LongContentInOddPieces) {
  const std::string content = text_of(700'000) + noise_of(200'000) + text_of(300'000);
  const std::map<std::string, std::string> bodies = {
      {"gzip", gzip(content)},
      {"deflate", zlib(content)},
      {"deflate ", raw_deflate(content, 1)},
      {"br", brotli(content)},
      {"zstd", zstd(content)},
      {"gzip, gzip", gzip(gzip(content, 0), 1)},
      {"deflate, br, zstd, gzip", gzip(zstd(brotli(zlib(content))))},
  };
  std::mt19937 random(3);
  for (const auto& [codings, body] : bodies) {
    for (const std::size_t output_bytes :
         {std::size_t{777}, std::size_t{5000}, std::size_t{40'000}, kLargeOutput}) {
      std::vector<std::string> pieces;
      for (std::size_t at = 0; at < body.size(); at += pieces.back().size())
        pieces.push_back(body.substr(at, 1 + random() % (1 + random() % 40'000)));
      const Outcome outcome = decode_pieces(codings, pieces, {GetParam(), output_bytes, {}});
      EXPECT_TRUE(outcome.ok) << codings << ": " << outcome.failure;
      EXPECT_TRUE(outcome.content == content) << codings << " into " << output_bytes;
    }
  }
}

TEST_P(ContentDecoderTest, ADecoderCanBeMovedWithinABody) {
  const std::string content = text_of(100'000);
  const std::string body = gzip(zlib(content));
  ContentDecoder first({{"content-encoding", "deflate, gzip"}}, {}, GetParam());
  std::span<const char> input(body);
  std::vector<char> space(content.size());
  std::span<char> output = std::span(space).first(1000);
  ASSERT_EQ(first.decode(input, output), Event::output_full);
  ContentDecoder second = std::move(first);
  output = std::span(space).subspan(1000);
  ASSERT_EQ(second.decode(input, output), Event::output_full);
  char none;
  std::span<char> more(&none, 1);
  EXPECT_EQ(second.decode(input, more), Event::need_input);
  EXPECT_EQ(second.finish(more), Event::end);
  EXPECT_EQ(std::string(space.begin(), space.end()), content);
}

TEST_P(ContentDecoderTest, TheLimitOfDecodedBytesIsExact) {
  const std::string text = text_of(2000);
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"gzip", gzip(text)}, {"deflate", raw_deflate(text)},   {"br", brotli(text)},
      {"zstd", zstd(text)}, {"gzip, gzip", gzip(gzip(text))},
  };
  for (const auto& [codings, body] : bodies) {
    SCOPED_TRACE(codings);
    DecoderLimits limits;
    limits.max_decoded_bytes = text.size();
    EXPECT_EQ(decode_every_way(codings, body, setting(limits)).content, text);
    limits.max_decoded_bytes = text.size() - 1;
    const Outcome outcome = decode_every_way(codings, body, setting(limits));
    EXPECT_FALSE(outcome.ok);
    EXPECT_TRUE(outcome.limit_reached);
    EXPECT_EQ(outcome.content, text.substr(0, text.size() - 1));
    EXPECT_NE(outcome.failure.find("decodes to more bytes than are allowed"), std::string::npos);
    limits.max_decoded_bytes = 0;
    EXPECT_TRUE(decode_every_way(codings, body, setting(limits)).limit_reached);
  }
}

TEST_P(ContentDecoderTest, ABombIsStoppedByItsRatio) {
  const std::string zeros(40 * 1024 * 1024, '\0');
  const std::vector<std::pair<std::string, std::string>> bombs = {
      {"gzip", gzip(zeros)}, {"deflate", zlib(zeros)}, {"br", brotli(zeros)}, {"zstd", zstd(zeros)}};
  for (const auto& [codings, body] : bombs) {
    const Outcome outcome = decode(codings, body, setting());
    EXPECT_TRUE(outcome.limit_reached) << codings;
    EXPECT_NE(outcome.failure.find("expands more than is allowed"), std::string::npos) << outcome.failure;
    EXPECT_LE(outcome.content.size(), 33 * 1024 * 1024U) << codings;
    DecoderLimits any_ratio;
    any_ratio.max_ratio = 0;
    EXPECT_TRUE(decode(codings, body, setting(any_ratio)).ok) << codings;
  }
  EXPECT_TRUE(decode("gzip", gzip(zeros.substr(0, 31 * 1024 * 1024)), setting()).ok)
      << "too little to matter";
}

// Empty members: all of the work is done between the layers, and nothing comes out.
TEST_P(ContentDecoderTest, WhatLiesBetweenTheLayersIsLimitedToo) {
  std::string members;
  const std::string empty_member = gzip("");
  while (members.size() < 40 * 1024 * 1024) members += empty_member;
  const std::string body = gzip(members);
  EXPECT_EQ(decode("gzip, gzip", body, setting()).failure, "gzip content expands more than is allowed");
  DecoderLimits limits;
  limits.max_ratio = 0;
  EXPECT_TRUE(decode("gzip, gzip", body, setting(limits)).ok);
  limits.max_decoded_bytes = 1000;
  const Outcome outcome = decode("gzip, gzip", body, setting(limits));
  EXPECT_TRUE(outcome.limit_reached);
  EXPECT_EQ(outcome.failure, "gzip content decodes to more bytes than are allowed");
}

TEST_P(ContentDecoderTest, AnEmptyBodyIsEmptyContent) {
  for (const char* codings : {"gzip", "deflate", "br", "zstd", "x-gzip", "gzip, br", "identity", "", "foo"}) {
    const Outcome outcome = decode(codings, "", setting());
    EXPECT_TRUE(outcome.ok) << codings;
    EXPECT_EQ(outcome.content, "") << codings;
  }
  EXPECT_TRUE(decode("gzip, br", brotli(""), setting()).ok) << "nothing within br";
}

// Found by fuzzing: ISA-L hands out memory that it has not written when a distance is too far back.
TEST_P(ContentDecoderTest, NothingButContentComesOutBeforeADistanceThatIsTooFarBack) {
  // A literal, a match of 258 bytes at distance 2, in fixed codes
  const std::string body = std::string("\x4B\x1C\x85") + std::string(50, '\0');
  for (const char byte : {'\x55', '\x33'}) {
    ContentDecoder decoder({{"content-encoding", "deflate"}}, {}, GetParam());
    std::vector<char> space(1000, byte);
    std::span<const char> input(body);
    std::span<char> output(space);
    EXPECT_EQ(decoder.decode(input, output), Event::failed);
    EXPECT_EQ(decoder.failure(), "deflate content is malformed");
    EXPECT_LE(decoder.decoded_bytes(), 1U);
  }
}

// ISA-L looks at a header when all of it is there; a peer that sends a few bytes of text is to be told apart
// from one that is cut short.
TEST_P(ContentDecoderTest, WhatIsNoGzipIsMalformedFromTheFirstByteOn) {
  EXPECT_EQ(decode_every_way("gzip", "n", setting()).failure, "gzip content is malformed");
  EXPECT_EQ(decode_every_way("gzip", "no gzip", setting()).failure, "gzip content is malformed");
}

TEST_P(ContentDecoderTest, AFailureLasts) {
  ContentDecoder decoder({{"content-encoding", "gzip"}}, {}, GetParam());
  char space[10];
  std::span<char> output(space);
  const std::string body = gzip("content").replace(2, 1, "\7");  // another method than deflate
  std::span<const char> input(body);
  EXPECT_EQ(decoder.decode(input, output), Event::failed);
  EXPECT_EQ(decoder.failure(), "gzip content is malformed");
  EXPECT_NE(decoder.library_code(), "");
  EXPECT_EQ(decoder.decode(input, output), Event::failed);
  EXPECT_EQ(decoder.finish(output), Event::failed);
}

ContentDecoder decoder_of(const Headers& headers) {
  return ContentDecoder(headers);
}

TEST(ContentCodingsTest, IdentityIsNoCoding) {
  EXPECT_TRUE(decoder_of({}).identity());
  EXPECT_TRUE(decoder_of({{"Content-Encoding", ""}}).identity());
  EXPECT_TRUE(decoder_of({{"Content-Encoding", "Identity ,, identity"}}).identity());
  EXPECT_FALSE(decoder_of({{"Content-Encoding", "gzip"}}).identity());
  EXPECT_EQ(decode("identity", "as it is", {preferred_inflater(), 3, {}}).content, "as it is");
}

TEST(ContentCodingsTest, FieldsAreJoinedAndCaseAndBlanksDoNotCount) {
  const Headers headers{
      {"content-encoding", "\tBr"}, {"X", "y"}, {"CONTENT-ENCODING", " identity , x-GZip "}};
  const Outcome outcome = decode_with(decoder_of(headers), {gzip(brotli("content"))}, kLargeOutput);
  EXPECT_TRUE(outcome.ok) << outcome.failure;
  EXPECT_EQ(outcome.content, "content");
}

TEST(ContentCodingsTest, DecodingStopsAtAnUnknownCoding) {
  const ContentDecoder outermost = decoder_of({{"Content-Encoding", "gzip, Foo"}});
  EXPECT_TRUE(outermost.identity());
  EXPECT_EQ(outermost.unknown_coding(), "Foo");
  const ContentDecoder innermost = decoder_of({{"Content-Encoding", "br, foo;q=1, gzip"}});
  EXPECT_FALSE(innermost.identity());
  EXPECT_EQ(innermost.unknown_coding(), "foo;q=1");
  EXPECT_EQ(decode("br, foo, gzip", gzip("still coded")).content, "still coded");
  EXPECT_EQ(decoder_of({{"Content-Encoding", "br, gzip"}}).unknown_coding(), "");
}

TEST(ContentCodingsTest, TooManyLayersAreRefused) {
  std::string body = "content";
  for (int layer = 0; layer < 5; ++layer) body = gzip(body);
  EXPECT_EQ(decode("gzip,gzip,gzip,gzip,gzip", body).content, "content");
  const std::string six = "gzip,gzip,identity,gzip,gzip,gzip,gzip";
  EXPECT_FALSE(decoder_of({{"Content-Encoding", six}}).identity());
  const Outcome outcome = decode(six, gzip(body));
  EXPECT_EQ(outcome.failure, "content has more than 5 codings");
  EXPECT_TRUE(outcome.limit_reached);
  EXPECT_EQ(outcome.content, "");
  Setting one_layer;
  one_layer.limits.max_layers = 1;
  EXPECT_TRUE(decode("gzip", gzip("x"), one_layer).ok);
  EXPECT_FALSE(decode("gzip, gzip", gzip(gzip("x")), one_layer).ok);
}

TEST(ContentCodingsTest, TheWindowOfZstdIsLimited) {
  const std::string text = text_of(60);
  const Outcome outcome = decode_every_way("zstd", zstd(text, 3, 24, false), {});
  EXPECT_EQ(outcome.failure, "zstd content needs too large a window");
  EXPECT_TRUE(outcome.limit_reached);
  EXPECT_EQ(decode_every_way("zstd", zstd(text, 3, 23, false), {}).content, text);
  Setting large;
  large.limits.max_zstd_window_bytes = 16 * 1024 * 1024;
  EXPECT_EQ(decode_every_way("zstd", zstd(text, 3, 24, false), large).content, text);
}

// Contexts are used again, also those of bodies that failed or were left, and forget what they were told.
TEST(ContentCodingsTest, ZstdBodiesDoNotInfluenceTheNext) {
  const std::string body = zstd(text_of(5000));
  Setting large;
  large.limits.max_zstd_window_bytes = 16 * 1024 * 1024;
  const std::string large_window = zstd("content", 3, 24, false);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(decode("zstd", large_window, large).ok);
    EXPECT_TRUE(decode("zstd", large_window, {}).limit_reached);
    EXPECT_FALSE(decode("zstd", body.substr(0, body.size() / 2)).ok);
    EXPECT_EQ(decode("zstd", body).content, text_of(5000));
    EXPECT_EQ(decode("zstd, zstd", zstd(body)).content, text_of(5000));
  }
}

TEST(ContentCodingsTest, ZstdOfBeforeTheStandardIsRefused) {
  const Outcome outcome = decode_every_way("zstd", "\x27\xB5\x2F\xFD" + zstd("content").substr(4), {});
  EXPECT_EQ(outcome.failure, "zstd content is malformed");
}

TEST(ContentCodingsTest, WhatIsOfferedIsKnown) {
  Headers headers;
  headers.add("Content-Encoding", accept_encoding());
  EXPECT_EQ(accept_encoding(), "gzip, deflate, br, zstd");
  EXPECT_EQ(ContentDecoder(headers).unknown_coding(), "");
  EXPECT_TRUE(available(Inflater::zlib));
  EXPECT_TRUE(available(preferred_inflater()));
}

}  // namespace
}  // namespace sluice::wire
