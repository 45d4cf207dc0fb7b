// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/command/fetch_plan.hpp"
#include "tools/command/fetch_row.hpp"
#include "tools/command/output.hpp"

namespace sluice::command {

/// Where the body of one response goes: into its row, into a file of its own, or nowhere.
class BodySink {
 public:
  /// The file is named after the number of the line, never after anything that a server or the input says.
  /// Throws Failure when it cannot be made.
  BodySink(const FetchPlan& plan, std::uint64_t line);

  /// False when the body is larger than the plan allows. Throws Failure when the file cannot be written.
  bool write(std::string_view bytes);
  /// Nothing is looked at, not even how much it is.
  bool takes_nothing() const;
  /// The body is whole: puts it into the row, or the file in its place.
  void finish(FetchRow& row);

 private:
  const FetchPlan* plan_;
  std::string content_;
  std::string path_;
  std::optional<Output> file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::command
