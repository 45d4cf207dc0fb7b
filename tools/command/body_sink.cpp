// SPDX-License-Identifier: MIT
#include "tools/command/body_sink.hpp"

#include <filesystem>
#include <utility>

namespace sluice::command {

BodySink::BodySink(const FetchPlan& plan, std::uint64_t line) : plan_(&plan) {
  if (plan.arguments().body != BodyMode::file) return;
  path_ = std::filesystem::path(plan.arguments().output_dir) / (std::to_string(line) + ".body");
  file_.emplace(path_);
}

bool BodySink::write(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > plan_->max_body_bytes()) return false;
  if (file_)
    file_->write(bytes);
  else if (plan_->arguments().body == BodyMode::inline_)
    content_ += bytes;
  return true;
}

bool BodySink::takes_nothing() const {
  return plan_->arguments().body == BodyMode::discard && !plan_->arguments().max_body;
}

void BodySink::finish(FetchRow& row) {
  if (file_) {
    file_->finish();
    row.set_body_file(path_);
  } else if (plan_->arguments().body == BodyMode::inline_) {
    row.set_body(std::move(content_));
  }
}

}  // namespace sluice::command
