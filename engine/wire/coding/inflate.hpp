// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <sluice/detail/memory.hpp>

#include "engine/wire/coding/coding.hpp"

namespace sluice::wire {

/// What stands around deflate data (RFC 1951): nothing, the zlib format (RFC 1950), a gzip member (RFC 1952).
enum class Wrapper : std::uint8_t { raw, zlib, gzip };

/// Inflates one stream after the other; the seam between the rules of the codings and the library at work.
class InflateStream : public detail::Recycled {
 public:
  enum class Status : std::uint8_t {
    more,    ///< the input is used up or the output is full
    end,     ///< of the stream, its checksum was right; what is left of the input follows it
    failed,  ///< see fault()
  };

  InflateStream() = default;
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
  virtual ~InflateStream() = default;

  /// Forgets the last stream; the next bytes begin another.
  virtual void start(Wrapper wrapper) = 0;
  /// Consumes a prefix of the input, fills a prefix of the output.
  virtual Status inflate(std::span<const char>& input, std::span<char>& output) = 0;
  const CodingFault& fault() const { return fault_; }

 protected:
  Status fail(std::string_view clause, const char* library_code = "") {
    fault_ = {clause, library_code};
    return Status::failed;
  }

  /// The libraries count what they may read or write in 32 bits.
  static std::uint32_t step_size(std::size_t bytes) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(bytes, std::uint32_t{1} << 30));
  }

 private:
  CodingFault fault_;
};

std::unique_ptr<InflateStream> make_zlib_stream();
std::unique_ptr<InflateStream> make_isal_stream();  // not defined in a build without ISA-L

}  // namespace sluice::wire
