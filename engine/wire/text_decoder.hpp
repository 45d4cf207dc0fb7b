// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <sluice/detail/memory.hpp>

#include "engine/wire/charset.hpp"
#include "engine/wire/converters.hpp"

namespace sluice::wire {

/// Turns the bytes of a body into UTF-8, piece by piece; every cut of the same bytes gives the same text.
/// Never fails: what is not valid becomes U+FFFD. Each piece of text ends between two characters.
///
/// A byte order mark stays in the text as U+FEFF, but for charsets that call for one (utf-16, utf-32,
/// utf-8-sig). Where this system lacks iconv's tables for the charset, the bytes are read as UTF-8.
class TextDecoder {
 public:
  explicit TextDecoder(Charset charset);

  /// The text that is complete with `input`. It stands in `input` itself where that is valid UTF-8 already
  /// and nothing is left of the input before, otherwise in memory of the decoder, until the next call.
  std::string_view decode(std::span<const char> input);

  /// The text that is complete at the end of the input: U+FFFD for a character that is not. The decoder has
  /// had its use then.
  std::string_view finish();

 private:
  using Converter = std::variant<Utf8Converter, Utf16Converter, Utf32Converter, TableConverter,
                                 IconvConverter, ReplacementConverter>;
  static Converter converter_for(Charset charset);

  std::string_view with_left_bytes(std::span<const char> input);
  void keep(std::string_view bytes);
  std::string_view without_mark(std::string_view text);

  Converter converter_;
  bool drops_mark_;
  std::uint8_t left_count_ = 0;
  std::array<char, kMostLeft> left_;  // the beginning of a character
  detail::String joined_;             // left bytes and input in one
  detail::String converted_;
};

/// The whole of a text.
std::string decode_text(Charset charset, std::span<const char> bytes);

}  // namespace sluice::wire
