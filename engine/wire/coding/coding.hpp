// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <sluice/detail/memory.hpp>

namespace sluice::wire {

/// What is wrong with a coded body.
struct CodingFault {
  std::string_view clause;        ///< completes "gzip content ..."; empty: nothing is wrong
  const char* library_code = "";  ///< the library's own name or words for it, of static storage
  bool limit = false;             ///< a limit of ours, not a defect of the content

  explicit operator bool() const { return !clause.empty(); }
};

namespace coding_clause {
inline constexpr std::string_view kMalformed = "is malformed";
inline constexpr std::string_view kTrailingBytes = "is followed by other bytes";
inline constexpr std::string_view kOutOfMemory = "needs more memory than there is";
}  // namespace coding_clause

/// Undoes one content coding (RFC 9110, 8.4.1). Made when the first byte arrives, so that an empty body costs
/// nothing and is no error. Constructors throw std::bad_alloc.
class Coding : public detail::Recycled {
 public:
  Coding() = default;
  Coding(const Coding&) = delete;
  Coding& operator=(const Coding&) = delete;
  virtual ~Coding() = default;

  /// Consumes a prefix of the input and fills a prefix of the output, which is not empty. Unless there is a
  /// fault, it returns when the output is full or when the input is used up and all that follows from it is
  /// out. After a full output it wants to be called again, even without input.
  virtual CodingFault decode(std::span<const char>& input, std::span<char>& output) = 0;

  /// Whether the content may end here.
  virtual bool complete() const = 0;
};

class InflateStream;

std::unique_ptr<Coding> make_gzip_coding(std::unique_ptr<InflateStream> stream);
std::unique_ptr<Coding> make_deflate_coding(std::unique_ptr<InflateStream> stream);
std::unique_ptr<Coding> make_brotli_coding();
std::unique_ptr<Coding> make_zstd_coding(std::uint64_t max_window_bytes);

}  // namespace sluice::wire
