// SPDX-License-Identifier: MIT
#include "engine/wire/grammar.hpp"

namespace sluice::wire {

std::optional<std::uint64_t> parse_length(std::string_view digits) {
  constexpr std::uint64_t kMost = INT64_MAX;
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMost - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace sluice::wire
