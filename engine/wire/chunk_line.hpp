// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/wire/head_check.hpp"

namespace sluice::wire {

/// The line before a chunk: 1*HEXDIG chunk-ext CRLF (RFC 9112, 7.1). Extensions are checked and ignored.
///
/// Stricter than llhttp: nothing but ";" or CRLF follows the size (no blanks, no bare CR or LF), at most 20
/// digits and 63 bits, and an extension is a token with, after "=", a token or a closed quoted string.
class ChunkLine {
 public:
  static constexpr std::size_t kMaxDigits = 20;  // zeros may lead

  Progress scan(std::string_view text);

  std::size_t size() const { return size_; }  ///< of the line with its CRLF, once complete
  const char* fault() const { return fault_; }
  std::uint64_t chunk_size() const { return chunk_size_; }
  std::size_t extension_bytes() const { return extension_bytes_; }

 private:
  // Each returns where its part ends; nullptr if the text ends first or has a fault.
  const char* scan_size(const char* at, const char* end);
  const char* scan_extension(const char* at, const char* end);
  const char* scan_value(const char* at, const char* end);
  const char* scan_quoted(const char* at, const char* end);
  const char* scan_line_end(const char* at, const char* end);
  const char* fail(const char* fault);

  const char* fault_ = nullptr;
  std::size_t size_ = 0;
  std::size_t extension_bytes_ = 0;
  std::uint64_t chunk_size_ = 0;
};

}  // namespace sluice::wire
