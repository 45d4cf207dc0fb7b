// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace sluice::base {

/// Base of objects that stand in at most one List. Leaves its list when destroyed.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = nullptr;
    previous_ = nullptr;
  }

 private:
  template <class T, class Node>
  friend class List;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

/// A ListNode with a name, for objects that stand in several lists.
template <class Tag>
class TaggedListNode : public ListNode {};

/// A doubly linked list of objects that carry their own links; it does not own them. All operations are O(1).
template <class T, class Node = ListNode>
class List {
 public:
  List() noexcept { head_.next_ = head_.previous_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }
  T& front() noexcept { return object(*head_.next_); }
  T& back() noexcept { return object(*head_.previous_); }
  void push_back(T& element) noexcept { insert_before(head_, static_cast<Node&>(element)); }
  void push_front(T& element) noexcept { insert_before(*head_.next_, static_cast<Node&>(element)); }
  /// Calls `function` for each element; it must not change the list.
  template <class F>
  void for_each(F function) {
    for (ListNode* node = head_.next_; node != &head_; node = node->next_) function(object(*node));
  }
  static void remove(T& element) noexcept { static_cast<Node&>(element).unlink(); }

 private:
  static T& object(ListNode& node) noexcept { return static_cast<T&>(static_cast<Node&>(node)); }
  static void insert_before(ListNode& place, ListNode& node) noexcept {
    node.next_ = &place;
    node.previous_ = place.previous_;
    place.previous_->next_ = &node;
    place.previous_ = &node;
  }

  ListNode head_;
};

}  // namespace sluice::base
