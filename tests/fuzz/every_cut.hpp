// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/headers.hpp>

namespace sluice::fuzz {

/// Reads the pieces to the end of the message or of the input; all that can be observed, as text.
template <class Reader>
std::string outcome_of(Reader& reader, const std::vector<std::string_view>& pieces) {
  using Event = typename Reader::Event;
  std::string body;
  std::size_t left = 0;
  Event last = Event::need_more;
  auto finished = [&last] { return last == Event::end || last == Event::failed; };
  for (std::string_view piece : pieces) {
    std::span<const char> input(piece);
    while (!finished()) {
      last = reader.next(input);
      if (last == Event::need_more) break;
      if (last == Event::informational) body += "[1xx]";
      if (last == Event::body) body.append(reader.body().data(), reader.body().size());
    }
    left += input.size();
  }
  if (!finished()) last = reader.end_of_stream();
  if (last == Event::failed) return "failed: " + std::string(reader.failure());
  if (last != Event::end) std::abort();
  std::string outcome = body + "|" + std::to_string(left) + (reader.keep_alive() ? " keep" : " close");
  for (auto [name, value] : reader.trailers()) outcome.append("|").append(name).append("=").append(value);
  return outcome;
}

/// All fields as text. Aborts unless each of the lines, which are what would be sent on, is a field.
inline std::string text_of(const Headers& headers) {
  std::string text;
  for (auto [name, value] : headers) text.append("|").append(name).append("=").append(value);
  const std::string_view lines = headers.lines();
  if (static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) != headers.size()) std::abort();
  return text;
}

/// Aborts unless every cut of `bytes` into two gives what the whole gives; long inputs are cut here and
/// there.
template <class Read>
void check_every_cut(std::string_view bytes, Read read) {
  const std::string whole = read({bytes});
  const std::size_t step = 1 + bytes.size() / 256;
  for (std::size_t cut = 0; cut <= bytes.size(); cut += step) {
    if (read({bytes.substr(0, cut), bytes.substr(cut)}) != whole) std::abort();
  }
}

}  // namespace sluice::fuzz
