// SPDX-License-Identifier: MIT
#include <sluice/scope.hpp>

namespace sluice {

void detail::ScopeChild::ended(ReadyNode& node) {
  auto& child = static_cast<ScopeChild&>(node);
  child.scope_->child_ended(child);
}

Scope::Canceller::Canceller(Scope& owner) noexcept
    : ReadyNode([](ReadyNode& node) {
        Scope& cancelled = *static_cast<Canceller&>(node).scope;
        cancelled.cancel_children();
        cancelled.finish_if_over();
      }),
      scope(&owner) {}

Scope::BodyEnd::BodyEnd(Scope& owner) noexcept
    : ReadyNode([](ReadyNode& node) { static_cast<BodyEnd&>(node).scope->body_ended(); }), scope(&owner) {}

void Scope::cancel() noexcept {
  detail::ready_list().push_front(canceller_);
}

void Scope::run(Task<void> body) {
  body_ = std::move(body);
  body_.start(body_end_);
}

void Scope::rethrow_failure() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Scope::adopt(std::unique_ptr<detail::ScopeChild> child) {
  child->scope_ = this;
  child->start();
  child->previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = child.get();
  last_ = child.release();
  ++size_;
}

std::unique_ptr<detail::ScopeChild> Scope::remove(detail::ScopeChild& child) noexcept {
  (child.previous_ != nullptr ? child.previous_->next_ : first_) = child.next_;
  (child.next_ != nullptr ? child.next_->previous_ : last_) = child.previous_;
  --size_;
  return std::unique_ptr<detail::ScopeChild>(&child);
}

void Scope::child_ended(detail::ScopeChild& child) {
  note_failure(child.promise());
  remove(child).reset();
  finish_if_over();
}

void Scope::body_ended() {
  note_failure(body_.promise());
  body_.reset();
  finish_if_over();
}

/// The youngest first, as destructors would. A child that has failed unnoticed is noticed now.
void Scope::cancel_children() noexcept {
  while (last_ != nullptr) {
    std::unique_ptr<detail::ScopeChild> child = remove(*last_);
    note_failure(child->promise());
  }
}

void Scope::cancel_all() noexcept {
  cancel_children();
  body_.reset();
  cancel_children();  // what a destructor of the body has spawned
}

void Scope::note_failure(detail::PromiseBase& promise) noexcept {
  if (!failure_) failure_ = promise.take_exception();
}

void Scope::finish_if_over() {
  if (failure_) cancel_all();
  if (!body_ && first_ == nullptr) joined_.notify();
}

}  // namespace sluice
