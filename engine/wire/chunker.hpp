// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/detail/memory.hpp>

namespace sluice::wire {

/// Cuts bytes or text into chunks of one size, piece by piece; only the last may be shorter, none is empty. A
/// chunk that stands whole in one piece is not copied.
class Chunker {
 public:
  /// What a size counts. Characters are code points of UTF-8 text whose pieces end between two of them.
  enum class Unit : std::uint8_t { byte, character };

  /// `chunk_size` is at least 1.
  Chunker(Unit unit, std::size_t chunk_size);

  /// Takes the next chunk, or all of the input, off the front of `input`; whether there is a chunk.
  bool next(std::string_view& input);

  /// At the end of the input: whether there is a last chunk.
  bool finish();

  /// In the input or in memory of the chunker; valid until the next call.
  std::string_view chunk() const { return chunk_; }

 private:
  void drop_chunk();
  void take_chunk(std::string_view last_part);

  std::size_t chunk_size_;
  std::size_t missing_;  // units, until the chunk is whole
  detail::String unfinished_;
  std::string_view chunk_;
  Unit unit_;
  bool chunk_is_kept_ = false;  // chunk_ stands in unfinished_
};

}  // namespace sluice::wire
