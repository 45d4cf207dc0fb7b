// SPDX-License-Identifier: MIT
#include "engine/wire/converters.hpp"

#include <cerrno>

#include <iconv.h>

#include "engine/wire/byte_scan.hpp"
#include "engine/wire/utf8.hpp"

namespace sluice::wire {

std::size_t Utf8Converter::convert(std::string_view bytes, detail::String& out) {
  return append_well_formed(out, bytes);
}

// ---- UTF-16 and UTF-32

namespace {

/// The unit of `kBytes` bytes at `at`.
template <std::size_t kBytes>
char32_t unit_at(const char* at, ByteOrder order) {
  char32_t unit = 0;
  for (std::size_t i = 0; i < kBytes; ++i) {
    const std::size_t shift = 8 * (order == ByteOrder::big ? kBytes - 1 - i : i);
    unit |= static_cast<char32_t>(static_cast<unsigned char>(at[i])) << shift;
  }
  return unit;
}

/// Decides the byte order by the first unit; returns the bytes that the mark takes up.
template <std::size_t kBytes>
std::size_t read_mark(std::string_view bytes, ByteOrder& order) {
  if (order != ByteOrder::by_mark || bytes.size() < kBytes) return 0;
  order = unit_at<kBytes>(bytes.data(), ByteOrder::big) == 0xFEFF ? ByteOrder::big : ByteOrder::little;
  return unit_at<kBytes>(bytes.data(), order) == 0xFEFF ? kBytes : 0;
}

bool is_high_surrogate(char32_t unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}
bool is_low_surrogate(char32_t unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

}  // namespace

std::size_t Utf16Converter::convert(std::string_view bytes, detail::String& out) {
  std::size_t at = read_mark<2>(bytes, order_);
  while (bytes.size() - at >= 2) {
    char32_t unit = unit_at<2>(bytes.data() + at, order_);
    if (is_high_surrogate(unit)) {
      if (bytes.size() - at < 4) break;
      const char32_t low = unit_at<2>(bytes.data() + at + 2, order_);
      if (is_low_surrogate(low)) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        at += 2;
      }
    }
    append_utf8(out, unit);
    at += 2;
  }
  return at;
}

std::size_t Utf32Converter::convert(std::string_view bytes, detail::String& out) {
  std::size_t at = read_mark<4>(bytes, order_);
  for (; bytes.size() - at >= 4; at += 4) append_utf8(out, unit_at<4>(bytes.data() + at, order_));
  return at;
}

// ---- Tables of iconv

Iconv::Iconv(const char* charset) : handle_(iconv_open("WCHAR_T", charset)) {
  static_assert(sizeof(wchar_t) == sizeof(char32_t));
}

Iconv::~Iconv() {
  if (open()) iconv_close(handle_);
}

Iconv::Step Iconv::convert(std::string_view bytes, char32_t* out, std::size_t capacity) {
  char* in_at = const_cast<char*>(bytes.data());
  std::size_t in_left = bytes.size();
  char* out_at = reinterpret_cast<char*>(out);
  std::size_t out_left = capacity * sizeof *out;
  const bool failed = ::iconv(handle_, &in_at, &in_left, &out_at, &out_left) == static_cast<std::size_t>(-1);
  Step step{Step::End::done, bytes.size() - in_left, capacity - out_left / sizeof *out};
  if (failed) {
    step.end = errno == E2BIG    ? Step::End::more
               : errno == EINVAL ? Step::End::incomplete
                                 : Step::End::invalid;
  }
  return step;
}

std::size_t Iconv::flush(char32_t* out, std::size_t capacity) {
  char* out_at = reinterpret_cast<char*>(out);
  std::size_t out_left = capacity * sizeof *out;
  ::iconv(handle_, nullptr, nullptr, &out_at, &out_left);
  return capacity - out_left / sizeof *out;
}

TableConverter::UpperHalf upper_half_of(Iconv& iconv) {
  TableConverter::UpperHalf upper_half;
  for (unsigned i = 0; i < upper_half.size(); ++i) {
    const char byte = static_cast<char>(0x80 + i);
    char32_t code_points[4];
    std::size_t count = iconv.convert({&byte, 1}, code_points, 4).code_points;
    count += iconv.flush(code_points + count, 4 - count);
    upper_half[i] = static_cast<char16_t>(count == 1 ? code_points[0] : 0xFFFD);
  }
  return upper_half;
}

std::size_t TableConverter::convert(std::string_view bytes, detail::String& out) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const char* ascii_end = skip_ascii(at, end);
    out.append(at, ascii_end);
    for (at = ascii_end; at != end && (*at & 0x80) != 0; ++at) append_utf8(out, upper_half_[*at & 0x7F]);
  }
  return bytes.size();
}

std::size_t IconvConverter::convert(std::string_view bytes, detail::String& out) {
  using End = Iconv::Step::End;
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    char32_t code_points[256];
    const Iconv::Step step = iconv_.convert(bytes.substr(taken), code_points, std::size(code_points));
    append(out, code_points, step.code_points);
    taken += step.bytes_taken;
    if (step.end == End::done) break;
    if (step.end == End::incomplete && bytes.size() - taken <= kMostLeft) break;
    if (step.end == End::more && step.code_points != 0) continue;
    // One byte, as Python does: what follows a wrong lead byte is read again, so that no ASCII is lost.
    out += kReplacement;
    ++taken;
  }
  return taken;
}

void IconvConverter::flush(detail::String& out) {
  char32_t code_points[16];
  append(out, code_points, iconv_.flush(code_points, std::size(code_points)));
}

void IconvConverter::append(detail::String& out, const char32_t* code_points, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) append_utf8(out, corrected(code_points[i]));
}

char32_t IconvConverter::corrected(char32_t code_point) const {
  if (method_ == Charset::Method::iconv) return code_point;
  // Bytes 0x80 to 0x9F by themselves, which these charsets do not have, but glibc lets through.
  if (code_point >= 0x80 && code_point < 0xA0) return 0xFFFD;
  if (method_ != Charset::Method::shift_jis) return code_point;
  // No other byte of Shift_JIS gives these two.
  return code_point == 0xA5 ? '\\' : code_point == 0x203E ? '~' : code_point;
}

std::size_t ReplacementConverter::convert(std::string_view bytes, detail::String& out) {
  if (!bytes.empty() && !std::exchange(written_, true)) out += kReplacement;
  return bytes.size();
}

}  // namespace sluice::wire
