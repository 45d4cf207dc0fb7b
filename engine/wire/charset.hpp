// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

/// The charset parameter of a Content-Type value, in lower case: the first of several, unquoted. Nothing if
/// there is none or it is not ASCII. It need not name a charset that exists.
std::optional<std::string> charset_of(std::string_view content_type);

/// A character encoding that can be decoded. A small value; what it refers to lives as long as the program.
class Charset {
 public:
  /// How bytes become characters.
  enum class Method : std::uint8_t {
    utf8,
    utf8_signature,  // a leading byte order mark is dropped
    utf16,           // as its byte order mark says, which is dropped; little endian without one
    utf16_little,
    utf16_big,
    utf32,  // as utf16
    utf32_little,
    utf32_big,
    ascii,
    latin1,
    user_defined,  // ASCII, then U+F780 and on (WHATWG Encoding, 14.5)
    table,         // ASCII, then the 128 characters that iconv knows
    iconv,         // as iconv says
    double_byte,   // the same, but C1 control characters are errors
    shift_jis,     // the same, with ASCII where iconv has JIS X 0201
    replacement,   // not decoded on purpose (WHATWG Encoding, 14.1)
  };

  static Charset utf8();

  /// The charset that a label names: those of the WHATWG Encoding Standard and Python's names of charsets.
  /// Case, blanks and punctuation do not count (as in Unicode TS 22, 1.4). What is no charset, such as "hex",
  /// "idna" or "unicode_escape", has none. Where the two sources differ Python's meaning counts: "iso-8859-1"
  /// is itself, not windows-1252.
  static std::optional<Charset> find(std::string_view label);

  /// Its name in lower case.
  std::string_view name() const { return description_->name; }
  Method method() const { return description_->method; }
  /// What iconv calls it; null where iconv is not needed.
  const char* iconv_name() const { return description_->iconv_name; }

  friend bool operator==(Charset a, Charset b) { return a.description_ == b.description_; }

 private:
  friend struct CharsetTable;
  struct Description {
    std::string_view name;
    Method method;
    const char* iconv_name;
    std::string_view labels;  // letters and digits only, separated by blanks
  };
  explicit Charset(const Description& description) : description_(&description) {}

  const Description* description_;
};

}  // namespace sluice::wire
