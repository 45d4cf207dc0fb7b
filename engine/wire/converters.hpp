// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <sluice/detail/memory.hpp>

#include "engine/wire/charset.hpp"

/// One converter for each family of charsets. Each has
///   std::size_t convert(std::string_view bytes, detail::String& out)
/// which appends UTF-8 and returns how many bytes it took. What it leaves, at most kMostLeft bytes, is the
/// beginning of a character and comes again in front of the next bytes.
namespace sluice::wire {

inline constexpr std::size_t kMostLeft = 16;

class Utf8Converter {
 public:
  std::size_t convert(std::string_view bytes, detail::String& out);
};

enum class ByteOrder : std::uint8_t { little, big, by_mark };

class Utf16Converter {
 public:
  explicit Utf16Converter(ByteOrder order) : order_(order) {}
  std::size_t convert(std::string_view bytes, detail::String& out);

 private:
  ByteOrder order_;
};

class Utf32Converter {
 public:
  explicit Utf32Converter(ByteOrder order) : order_(order) {}
  std::size_t convert(std::string_view bytes, detail::String& out);

 private:
  ByteOrder order_;
};

/// A conversion of iconv to code points. iconv_open costs a few microseconds, and some hundred more when the
/// process uses a charset for the first time.
class Iconv {
 public:
  struct Step {
    enum class End : std::uint8_t { done, more, incomplete, invalid };
    End end;
    std::size_t bytes_taken;
    std::size_t code_points;
  };

  Iconv() = default;
  /// Not open() if this system lacks the tables.
  explicit Iconv(const char* charset);
  Iconv(Iconv&& other) noexcept : handle_(std::exchange(other.handle_, kClosed)) {}
  Iconv& operator=(Iconv&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Iconv();

  bool open() const { return handle_ != kClosed; }
  Step convert(std::string_view bytes, char32_t* out, std::size_t capacity);
  /// What is held back until it is known that nothing combines with it. Returns how many code points.
  std::size_t flush(char32_t* out, std::size_t capacity);

 private:
  static inline void* const kClosed = reinterpret_cast<void*>(-1);
  void* handle_ = kClosed;
};

/// ASCII, and one character for each byte above.
class TableConverter {
 public:
  using UpperHalf = std::array<char16_t, 128>;
  explicit TableConverter(const UpperHalf& upper_half) : upper_half_(upper_half.begin(), upper_half.end()) {}
  std::size_t convert(std::string_view bytes, detail::String& out);

 private:
  detail::Vector<char16_t> upper_half_;
};

TableConverter::UpperHalf upper_half_of(Iconv& iconv);

class IconvConverter {
 public:
  IconvConverter(Iconv iconv, Charset::Method method) : iconv_(std::move(iconv)), method_(method) {}
  std::size_t convert(std::string_view bytes, detail::String& out);
  void flush(detail::String& out);

 private:
  void append(detail::String& out, const char32_t* code_points, std::size_t count) const;
  char32_t corrected(char32_t code_point) const;

  Iconv iconv_;
  Charset::Method method_;
};

/// One U+FFFD for everything.
class ReplacementConverter {
 public:
  std::size_t convert(std::string_view bytes, detail::String& out);

 private:
  bool written_ = false;
};

}  // namespace sluice::wire
