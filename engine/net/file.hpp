// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <sluice/result.hpp>

#include "engine/net/fd.hpp"

namespace sluice::net {

/// A regular file, open for reading.
class File {
 public:
  /// Opens on the spot: a slow file system holds the shard up. Errors: system_error with errno; for what is
  /// no regular file EISDIR or ESPIPE.
  static Result<File> open(std::string_view path);

  int number() const noexcept { return fd_.number(); }
  std::uint64_t size() const noexcept { return size_; }  ///< when it was opened

 private:
  File(Fd fd, std::uint64_t size) noexcept : fd_(std::move(fd)), size_(size) {}

  Fd fd_;
  std::uint64_t size_;
};

}  // namespace sluice::net
