// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/detail/memory.hpp>

namespace sluice {

namespace wire {
class HeadCheck;
}

/// Header fields in order, names compared without regard to case (RFC 9110, 5.1). Names and values are kept
/// as given; what may not go on the wire is refused when a request is sent, not here.
///
/// A value type: the lines of all fields stand in one block of at most 4 GiB, beyond which changes throw
/// std::length_error. Views that it returns hold until the next change; they may be arguments of that change.
/// A change that throws leaves the fields as they were.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  std::size_t size() const noexcept { return index_.size(); }
  bool empty() const noexcept { return index_.empty(); }
  Field operator[](std::size_t position) const {
    const Entry& entry = index_[position];
    return {{lines_.data() + entry.name, entry.name_size}, {lines_.data() + entry.value, entry.value_size}};
  }

  bool contains(std::string_view name) const;
  /// The first value of the name.
  std::optional<std::string_view> first(std::string_view name) const;
  /// All values of the name, joined with ", " (HTTPX's Headers.get), or nothing if there is none.
  std::optional<std::string> get(std::string_view name) const;
  /// Each value of the name by itself; with `split_commas` also split at commas and trimmed.
  std::vector<std::string> get_list(std::string_view name, bool split_commas = false) const;

  /// Appends a field, keeping others of the same name.
  void add(std::string_view name, std::string_view value);
  /// Replaces the first field of the name and removes the others, or appends.
  void set(std::string_view name, std::string_view value);
  /// Removes all fields of the name; returns how many.
  std::size_t remove(std::string_view name);
  /// set() for each name in `other`, keeping repeated fields of `other`.
  void merge(const Headers& other);
  void clear();
  /// Makes room for so many fields, whose names and values together have `text_bytes`.
  void reserve(std::size_t fields, std::size_t text_bytes);
  /// The field lines, each with its CRLF, ready to be sent once the fields have been checked.
  std::string_view lines() const noexcept { return lines_; }

  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;  // gives values, not references
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using reference = Field;
    using pointer = void;

    Iterator() = default;
    Iterator(const Headers& headers, std::size_t position) : headers_(&headers), position_(position) {}
    Field operator*() const { return (*headers_)[position_]; }
    Iterator& operator++() {
      ++position_;
      return *this;
    }
    Iterator operator++(int) { return {*headers_, position_++}; }
    bool operator==(const Iterator& other) const { return position_ == other.position_; }

   private:
    const Headers* headers_ = nullptr;
    std::size_t position_ = 0;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

  /// Equal if the same fields stand in them, whatever the order (as in HTTPX).
  friend bool operator==(const Headers& a, const Headers& b);

 private:
  friend class wire::HeadCheck;  // fills them from a received head

  struct Entry {
    std::uint32_t name;  // an offset in lines_, as is `value`
    std::uint32_t name_size;
    std::uint32_t value;
    std::uint32_t value_size;
  };

  std::size_t find(std::string_view name, std::size_t from = 0) const;
  void add_all(const Headers& other, std::string_view name);

  // As on the wire, so that a head is taken over and sent by one copy. Added fields stand as "name: value";
  // those of a received head as they came, but for its blank line.
  detail::String lines_;
  detail::Vector<Entry> index_;
};

/// ASCII comparison without regard to case.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

}  // namespace sluice
