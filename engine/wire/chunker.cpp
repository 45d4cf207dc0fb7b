// SPDX-License-Identifier: MIT
#include "engine/wire/chunker.hpp"

#include <algorithm>
#include <utility>

#include "engine/base/check.hpp"

namespace sluice::wire {
namespace {

bool continues_character(char byte) {
  return (byte & 0xC0) == 0x80;
}

/// Takes at most `most` units off the front; counts `most` down.
std::string_view take_units(std::string_view& input, Chunker::Unit unit, std::size_t& most) {
  std::size_t bytes = 0;
  if (unit == Chunker::Unit::byte) {
    bytes = std::min(most, input.size());
    most -= bytes;
  } else {
    for (; most != 0 && bytes != input.size(); --most) {
      do {
        ++bytes;
      } while (bytes != input.size() && continues_character(input[bytes]));
    }
  }
  const std::string_view units = input.substr(0, bytes);
  input.remove_prefix(bytes);
  return units;
}

}  // namespace

Chunker::Chunker(Unit unit, std::size_t chunk_size)
    : chunk_size_(chunk_size), missing_(chunk_size), unit_(unit) {
  base::check(chunk_size != 0, "a chunk has a size");
}

bool Chunker::next(std::string_view& input) {
  drop_chunk();
  const std::string_view part = take_units(input, unit_, missing_);
  if (missing_ != 0) {
    unfinished_.append(part);
    return false;
  }
  take_chunk(part);
  return true;
}

bool Chunker::finish() {
  drop_chunk();
  if (unfinished_.empty()) return false;
  take_chunk({});
  return true;
}

void Chunker::drop_chunk() {
  if (std::exchange(chunk_is_kept_, false)) unfinished_.clear();
}

void Chunker::take_chunk(std::string_view last_part) {
  missing_ = chunk_size_;
  chunk_ = last_part;
  if (unfinished_.empty()) return;
  unfinished_.append(last_part);
  chunk_ = unfinished_;
  chunk_is_kept_ = true;
}

}  // namespace sluice::wire
