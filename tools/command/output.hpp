// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::command {

/// Where a body goes: standard output, or a file that appears only once it is whole: it is written under a
/// temporary name beside its own and renamed by finish(). Throws Failure.
class Output {
 public:
  /// Standard output.
  Output() = default;
  /// A file; what was written is removed without finish(). What exists and is no regular file (/dev/null, a
  /// pipe) is written to as it is.
  explicit Output(const std::string& path);
  /// A file that is continued after the first `offset` bytes under `temporary`, and left there without
  /// finish(). Fails while another process does so.
  Output(const std::string& path, const std::string& temporary, std::uint64_t offset);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  void write(std::string_view bytes);
  /// Everything was written.
  void finish();
  std::uint64_t bytes() const { return bytes_; }
  /// Standard output or a file that is no regular one: what is written there cannot be taken back.
  bool is_direct() const { return temporary_.empty(); }

 private:
  void open_temporary();
  void wait_until_writable() const;
  [[noreturn]] void fail(int error) const;

  std::string path_ = "standard output";
  std::string temporary_;  // empty: writes go to the target itself
  bool keep_temporary_ = false;
  int fd_ = 1;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::command
