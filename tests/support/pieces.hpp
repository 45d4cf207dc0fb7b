// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace sluice::testing {

using Pieces = std::vector<std::string_view>;

/// The bytes in one piece, in two at every place, and byte by byte.
inline std::vector<Pieces> every_cut(std::string_view bytes) {
  std::vector<Pieces> cuts = {{bytes}};
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    cuts.push_back({bytes.substr(0, cut), bytes.substr(cut)});
  Pieces single;
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  cuts.push_back(single);
  return cuts;
}

/// Pieces of a few bytes each, some of them empty.
template <class Random>
Pieces random_cut(std::string_view bytes, Random& random, std::size_t most_bytes = 8) {
  Pieces pieces;
  while (!bytes.empty()) {
    const std::size_t size = random() % (most_bytes + 1);
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

}  // namespace sluice::testing
