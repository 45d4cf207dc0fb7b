// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sluice/request.hpp>
#include <sluice/response.hpp>

#include "tools/command/output.hpp"

namespace sluice::command {

/// A download that may be continued later. FILE.part holds what has come so far and FILE.part.info of which
/// URL and version it is (an ETag or a date); both are gone once FILE is there. All throw Failure.
class Resume {
 public:
  Resume(const std::string& target, const std::string& url);

  /// Asks for what is missing only, provided that the server still has the same version (RFC 9110, 13.1.5 and
  /// 14.2).
  void apply(Request& request) const;
  /// Whether the server has answered that it has no such part: what is there is not the beginning of what it
  /// has now. Then the whole is to be requested.
  bool is_refused(const ResponseBase& response) const;
  /// Forgets what is there.
  void start_anew();

  /// Whether all bytes are there already, so that the body means nothing.
  bool is_complete(const ResponseBase& response) const;
  /// Where the body of a response goes: behind what is there, or to the start.
  std::unique_ptr<Output> open(const ResponseBase& response);
  /// The bytes that were there before.
  std::uint64_t size() const noexcept { return size_; }
  /// Whether a file of this size is what the server said the whole is.
  void check_whole(std::uint64_t size) const;
  /// The file is there under its own name.
  void finished();

 private:
  void load();
  void check_range(const ResponseBase& response);
  void note_version(const ResponseBase& response) const;

  std::string target_;
  std::string url_;
  std::string part_;
  std::string info_;
  std::string validator_;  // for If-Range; empty: what is there cannot be continued
  std::uint64_t size_ = 0;
  std::optional<std::uint64_t> whole_size_;  // as the answer to a range says
};

}  // namespace sluice::command
