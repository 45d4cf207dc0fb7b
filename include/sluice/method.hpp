// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace sluice {

/// A request method: one of the constants, or any token of at most 31 characters. Trivially copyable.
///
/// Lower-case letters are turned into upper case, as in HTTPX. A longer name is kept as an empty Method,
/// which sending refuses (LocalProtocolError), as it refuses a name that is not a token (RFC 9110, 5.6.2).
class Method {
 public:
  static const Method Get, Head, Post, Put, Patch, Delete, Options;

  constexpr Method(std::string_view name) {  // NOLINT(google-explicit-constructor)
    if (name.size() > text_.size()) return;
    for (char c : name) text_[size_++] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  constexpr Method(const char* name)
      : Method(std::string_view(name)) {}  // NOLINT(google-explicit-constructor)

  constexpr std::string_view name() const { return {text_.data(), size_}; }
  friend constexpr bool operator==(const Method& a, const Method& b) { return a.name() == b.name(); }

 private:
  std::array<char, 31> text_{};
  unsigned char size_ = 0;
};

inline constexpr Method Method::Get{"GET"};
inline constexpr Method Method::Head{"HEAD"};
inline constexpr Method Method::Post{"POST"};
inline constexpr Method Method::Put{"PUT"};
inline constexpr Method Method::Patch{"PATCH"};
inline constexpr Method Method::Delete{"DELETE"};
inline constexpr Method Method::Options{"OPTIONS"};

}  // namespace sluice
