// SPDX-License-Identifier: MIT
#include "tools/command/text.hpp"

#include <boost/beast/core/detail/base64.hpp>
#include <boost/nowide/utf/utf.hpp>

namespace sluice::command {

namespace base64 = boost::beast::detail::base64;

bool is_utf8(std::string_view bytes) {
  using Utf8 = boost::nowide::utf::utf_traits<char>;
  for (const char* at = bytes.data(); at != bytes.data() + bytes.size();) {
    if (!boost::nowide::utf::is_valid_codepoint(Utf8::decode(at, bytes.data() + bytes.size()))) return false;
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string text;
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) text += static_cast<char>(0xC0 | (byte >> 6));
    text += static_cast<char>(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte);
  }
  return text;
}

std::string to_base64(std::string_view bytes) {
  std::string text(base64::encoded_size(bytes.size()), '\0');
  text.resize(base64::encode(text.data(), bytes.data(), bytes.size()));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string_view digits = text.substr(0, text.find('='));
  if (text.size() - digits.size() > 2 || text.find_first_not_of('=', digits.size()) != text.npos)
    return std::nullopt;
  std::string bytes(base64::decoded_size(text.size()), '\0');
  auto [written, read] = base64::decode(bytes.data(), digits.data(), digits.size());
  if (read != digits.size()) return std::nullopt;
  bytes.resize(written);
  return bytes;
}

}  // namespace sluice::command
