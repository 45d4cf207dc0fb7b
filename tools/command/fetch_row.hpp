// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <sluice/error.hpp>
#include <sluice/response.hpp>

#include "tools/command/fetch_job.hpp"

namespace sluice::command {

/// What became of a job, as a line of JSON. Its members come in the order in which they are listed in
/// `sluice fetch --help`; what there is not has no member.
class FetchRow {
 public:
  explicit FetchRow(const FetchJob& job);

  /// The head of the response and what came before it.
  void set_response(const ResponseBase& response);
  /// The figures and trailers of a response whose body has been read, or as far as it was.
  void set_transfer(const ResponseBase& response);
  /// "body" or, if the bytes are no UTF-8, "body_base64".
  void set_body(std::string bytes);
  void set_body_file(const std::string& path);
  void set_decoded_bytes(std::uint64_t bytes);
  void set_elapsed(Duration elapsed);
  void set_error(const Error& error);
  /// An error that no request was made of.
  void set_error(std::string_view type, std::string_view phase, std::string_view message);

  bool has_error() const { return json_.contains("error"); }
  /// The row with its newline; nothing is left of it here.
  std::string finish();

 private:
  nlohmann::ordered_json json_;
};

}  // namespace sluice::command
