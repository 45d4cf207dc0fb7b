// SPDX-License-Identifier: MIT
#include "engine/wire/chunker.hpp"

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/pieces.hpp"

namespace sluice::wire {
namespace {

using Chunks = std::vector<std::string>;
using testing::Pieces;
using Unit = Chunker::Unit;

Chunks chunks_of(Unit unit, std::size_t chunk_size, const Pieces& pieces) {
  Chunker chunker(unit, chunk_size);
  Chunks chunks;
  for (std::string_view piece : pieces) {
    while (chunker.next(piece)) chunks.emplace_back(chunker.chunk());
    EXPECT_TRUE(piece.empty());
  }
  if (chunker.finish()) chunks.emplace_back(chunker.chunk());
  EXPECT_FALSE(chunker.finish());
  return chunks;
}

/// The rows without a size, or with 0, are for the caller.
TEST(Chunker, CutsAsRecordedHoweverCut) {
  constexpr std::string_view kBody = "Hello, world!";
  std::size_t rows = 0;
  std::ifstream file(SLUICE_TEST_DATA_DIR "/byte_chunker.json");
  for (const auto& row : nlohmann::json::parse(file)) {
    if (row["chunk_size"].is_null() || row.contains("error")) continue;
    ++rows;
    for (const Pieces& pieces : testing::every_cut(kBody)) {
      EXPECT_EQ(chunks_of(Unit::byte, row["chunk_size"], pieces), row["parts"].get<Chunks>());
      EXPECT_EQ(chunks_of(Unit::character, row["chunk_size"], pieces), row["parts"].get<Chunks>());
    }
  }
  EXPECT_EQ(rows, 5U);
}

TEST(Chunker, CountsCharactersOfText) {
  const Pieces pieces = {"a\xC3\xA9", "\xE2\x82\xAC", "", "\xF0\x9F\x98\x80z", "b"};
  EXPECT_EQ(chunks_of(Unit::character, 2, pieces),
            (Chunks{"a\xC3\xA9", "\xE2\x82\xAC\xF0\x9F\x98\x80", "zb"}));
  EXPECT_EQ(chunks_of(Unit::character, 4, pieces), (Chunks{"a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "zb"}));
  EXPECT_EQ(chunks_of(Unit::byte, 3, {"a\xC3\xA9z"}), (Chunks{"a\xC3\xA9", "z"}));
}

TEST(Chunker, ChunksWithinAPieceAreNotCopied) {
  const std::string body = "abcdefgh";
  Chunker chunker(Unit::byte, 3);
  std::string_view input = body;
  ASSERT_TRUE(chunker.next(input));
  EXPECT_EQ(chunker.chunk().data(), body.data());
  ASSERT_TRUE(chunker.next(input));
  EXPECT_EQ(chunker.chunk().data(), body.data() + 3);
  EXPECT_FALSE(chunker.next(input));
  ASSERT_TRUE(chunker.finish());
  EXPECT_EQ(chunker.chunk(), "gh");
}

TEST(Chunker, NothingGivesNoChunk) {
  EXPECT_EQ(chunks_of(Unit::byte, 1, {}), Chunks{});
  EXPECT_EQ(chunks_of(Unit::character, 5, {"", ""}), Chunks{});
}

}  // namespace
}  // namespace sluice::wire
