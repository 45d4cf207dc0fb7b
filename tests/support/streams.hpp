// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sluice/body_iterator.hpp>
#include <sluice/task.hpp>

#include "tests/support/peer.hpp"
#include "tests/support/shard_test.hpp"

/// Streamed bodies, on both sides.
namespace sluice::testing {

/// The chunked coding of one piece of a body (RFC 9112, 7.1).
inline std::string chunk_of(std::string_view bytes) {
  char line[32];
  std::snprintf(line, sizeof(line), "%zx\r\n", bytes.size());
  return line + std::string(bytes) + "\r\n";
}

inline std::string chunked_head(std::string_view more_fields = "") {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + std::string(more_fields) + "\r\n";
}

/// A response of one chunk for each piece; empty pieces are left out, for they would end the body. A reader
/// sees exactly these pieces, however TCP cuts the stream.
template <class Pieces>
std::string chunked_response(const Pieces& pieces, std::string_view more_fields = "") {
  std::string text = chunked_head(more_fields);
  for (std::string_view piece : pieces) {
    if (!piece.empty()) text += chunk_of(piece);
  }
  return text + "0\r\n\r\n";
}

/// Answers the request for "/7" with the eighth of the responses.
inline Peer::Script answering_by_number(std::vector<std::string> responses) {
  return [responses = std::move(responses)](PeerConnection& connection) {
    while (auto request = connection.read_request()) {
      std::size_t number = std::strtoull(request->head.c_str() + request->head.find('/') + 1, nullptr, 10);
      if (!connection.send(responses.at(number))) return;
    }
  };
}

/// All that an iterator gave.
struct Taken {
  std::vector<std::string> pieces;
  std::string ending;  // "end", or what the error was

  std::string joined() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
  friend bool operator==(const Taken&, const Taken&) = default;
};

inline void PrintTo(const Taken& taken, std::ostream* out) {
  for (const std::string& piece : taken.pieces) *out << '\'' << piece << "' ";
  *out << taken.ending;
}

inline std::string_view view_of(const Chunk& chunk) {
  return chunk.view();
}
inline std::string_view view_of(std::string_view text) {
  return text;
}

/// Takes pieces to the end. Only lines may be empty.
template <class Piece>
Task<Taken> take_all(BodyIterator<Piece>& body) {
  Taken taken;
  for (;;) {
    auto next = co_await body.next().as_result();
    taken.ending = next ? "end" : kind_and_phase(next.error());
    if (!next || !*next) co_return taken;
    taken.pieces.emplace_back(view_of(**next));
    if (std::is_same_v<Piece, Chunk>) {
      EXPECT_FALSE(taken.pieces.back().empty());
    }
  }
}
template <class Piece>
Task<Taken> take_all(BodyIterator<Piece>&& body) {
  BodyIterator<Piece> mine = std::move(body);
  co_return co_await take_all(mine);
}

}  // namespace sluice::testing
