// SPDX-License-Identifier: MIT
#include "engine/wire/text_decoder.hpp"

#include <algorithm>
#include <utility>

#include "engine/base/check.hpp"
#include "engine/wire/byte_scan.hpp"
#include "engine/wire/utf8.hpp"

namespace sluice::wire {
namespace {

TableConverter::UpperHalf upper_half_from(char16_t first) {
  TableConverter::UpperHalf upper_half;
  for (std::size_t i = 0; i < upper_half.size(); ++i) upper_half[i] = static_cast<char16_t>(first + i);
  return upper_half;
}

TableConverter ascii_converter() {
  TableConverter::UpperHalf upper_half;
  upper_half.fill(0xFFFD);
  return TableConverter(upper_half);
}

bool is_ascii(std::string_view text) {
  const char* const end = text.data() + text.size();
  return skip_ascii(text.data(), end) == end;
}

}  // namespace

TextDecoder::Converter TextDecoder::converter_for(Charset charset) {
  using Method = Charset::Method;
  switch (charset.method()) {
    case Method::utf8:
    case Method::utf8_signature:
      return Utf8Converter();
    case Method::utf16:
      return Utf16Converter(ByteOrder::by_mark);
    case Method::utf16_little:
      return Utf16Converter(ByteOrder::little);
    case Method::utf16_big:
      return Utf16Converter(ByteOrder::big);
    case Method::utf32:
      return Utf32Converter(ByteOrder::by_mark);
    case Method::utf32_little:
      return Utf32Converter(ByteOrder::little);
    case Method::utf32_big:
      return Utf32Converter(ByteOrder::big);
    case Method::ascii:
      return ascii_converter();
    case Method::latin1:
      return TableConverter(upper_half_from(0x80));
    case Method::user_defined:
      return TableConverter(upper_half_from(0xF780));
    case Method::replacement:
      return ReplacementConverter();
    case Method::table:
    case Method::iconv:
    case Method::double_byte:
    case Method::shift_jis:
      break;
  }
  Iconv iconv(charset.iconv_name());
  if (!iconv.open()) return Utf8Converter();
  if (charset.method() == Method::table) return TableConverter(upper_half_of(iconv));
  return IconvConverter(std::move(iconv), charset.method());
}

TextDecoder::TextDecoder(Charset charset)
    : converter_(converter_for(charset)), drops_mark_(charset.method() == Charset::Method::utf8_signature) {}

std::string_view TextDecoder::decode(std::span<const char> input) {
  const std::string_view bytes = with_left_bytes(input);
  if (std::holds_alternative<Utf8Converter>(converter_)) {
    const std::size_t valid = well_formed_prefix(bytes);
    const std::string_view rest = bytes.substr(valid);
    if (rest.empty() || is_incomplete_sequence(rest)) {
      keep(rest);
      return without_mark(bytes.substr(0, valid));
    }
  }
  if (std::holds_alternative<TableConverter>(converter_) && is_ascii(bytes)) return bytes;
  converted_.clear();
  auto convert = [&](auto& converter) { return converter.convert(bytes, converted_); };
  keep(bytes.substr(std::visit(convert, converter_)));
  return without_mark(converted_);
}

std::string_view TextDecoder::finish() {
  converted_.clear();
  if (auto* converter = std::get_if<IconvConverter>(&converter_)) converter->flush(converted_);
  if (std::exchange(left_count_, 0) != 0) converted_ += kReplacement;
  return converted_;
}

std::string_view TextDecoder::with_left_bytes(std::span<const char> input) {
  if (left_count_ == 0) return {input.data(), input.size()};
  joined_.assign(left_.data(), left_count_);
  joined_.append(input.data(), input.size());
  return joined_;
}

void TextDecoder::keep(std::string_view bytes) {
  base::check(bytes.size() <= left_.size(), "a converter leaves no more than the beginning of a character");
  std::copy(bytes.begin(), bytes.end(), left_.begin());
  left_count_ = static_cast<std::uint8_t>(bytes.size());
}

std::string_view TextDecoder::without_mark(std::string_view text) {
  if (text.empty() || !std::exchange(drops_mark_, false)) return text;
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  return text;
}

std::string decode_text(Charset charset, std::span<const char> bytes) {
  TextDecoder decoder(charset);
  std::string text(decoder.decode(bytes));
  text += decoder.finish();
  return text;
}

}  // namespace sluice::wire
