// SPDX-License-Identifier: MIT
#include <chrono>
#include <string>

#include <sluice/combinators.hpp>
#include <sluice/time.hpp>

namespace sluice::detail {

void ChildGroup::Child::ended(ReadyNode& node) {
  auto& child = static_cast<Child&>(node);
  child.group_->child_ended(child);
}

void ChildGroup::child_ended(Child& child) {
  --running_;
  if (decider_ != nullptr) return;  // the parent is about to run; what this child did no longer matters
  if (child.promise_->failed() || until_ == Until::first_done) {
    decider_ = &child;
    failure_ = child.promise_->take_exception();
    decided_.notify();
  } else if (running_ == 0) {
    decided_.notify();
  }
}

TimeLimit::TimeLimit(ChildGroup& group, Duration limit) : Timer(&expired), group_(&group) {
  arm(deadline_after(limit));
}

void TimeLimit::expired(Timer& timer) {
  static_cast<TimeLimit&>(timer).group_->interrupt();
}

Error deadline_exceeded(Duration limit) {
  auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  return Error(ErrorKind::deadline_exceeded, Phase::none,
               "not done within " + std::to_string(milliseconds) + " ms");
}

}  // namespace sluice::detail
