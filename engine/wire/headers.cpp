// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include <sluice/headers.hpp>

namespace sluice {
namespace {

constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kFieldMarks = kColon.size() + kLineEnd.size();

/// The string must have room for the line.
void append_line(detail::String& lines, std::string_view name, std::string_view value) {
  char* at = lines.data() + lines.size();
  lines.resize(lines.size() + name.size() + value.size() + kFieldMarks);
  for (std::string_view part : {name, kColon, value, kLineEnd}) at = std::copy(part.begin(), part.end(), at);
}

/// Removes optional whitespace at both ends (RFC 9110, 5.6.3).
std::string_view trim(std::string_view text) {
  constexpr std::string_view kWhitespace = " \t";
  std::size_t first = std::min(text.find_first_not_of(kWhitespace), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(kWhitespace) + 1);
}

template <class Word>
Word load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// Turns the bytes 'A' to 'Z' of a word into lower case. The sums do not carry into the next byte, as the top
/// bit of each is cleared before; it is then set in those that reach the bound.
template <class Word>
constexpr Word to_lower(Word word) {
  constexpr Word kOnes = std::numeric_limits<Word>::max() / 255;  // 0x0101...
  constexpr Word kTops = kOnes * 0x80;
  Word low_bits = word & ~kTops;
  Word from_a = low_bits + kOnes * (0x80 - 'A');
  Word beyond_z = low_bits + kOnes * (0x7f - 'Z');
  Word capitals = from_a & ~beyond_z & ~word & kTops;
  return word | (capitals >> 2);  // 0x20 where a capital was
}

template <class Word>
bool equal_words(const char* a, const char* b) {
  return to_lower(load<Word>(a)) == to_lower(load<Word>(b));
}

/// Compares texts of at least one Word; the last Word overlaps the one before it.
template <class Word>
bool equal_by_words(std::string_view a, std::string_view b) {
  const std::size_t last = a.size() - sizeof(Word);
  for (std::size_t i = 0; i < last; i += sizeof(Word)) {
    if (!equal_words<Word>(a.data() + i, b.data() + i)) return false;
  }
  return equal_words<Word>(a.data() + last, b.data() + last);
}

bool name_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](unsigned char x, unsigned char y) {
                                        return to_lower<std::uint32_t>(x) < to_lower<std::uint32_t>(y);
                                      });
}

/// The fields by name, and those of one name by value.
std::vector<Headers::Field> sorted(const Headers& headers) {
  std::vector<Headers::Field> fields;
  fields.reserve(headers.size());
  for (const Headers::Field field : headers) fields.push_back(field);
  std::sort(fields.begin(), fields.end(), [](const Headers::Field& a, const Headers::Field& b) {
    if (equal_ignoring_case(a.name, b.name)) return a.value < b.value;
    return name_less(a.name, b.name);
  });
  return fields;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (a.size() >= 8) return equal_by_words<std::uint64_t>(a, b);
  if (a.size() >= 4) return equal_by_words<std::uint32_t>(a, b);
  return std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
    return to_lower<std::uint32_t>(x) == to_lower<std::uint32_t>(y);
  });
}

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::size_t text_bytes = 0;
  for (const auto& [name, value] : fields) text_bytes += name.size() + value.size();
  reserve(fields.size(), text_bytes);
  for (const auto& [name, value] : fields) add(name, value);
}

/// The position of the first field of the name at or after `from`, else size().
std::size_t Headers::find(std::string_view name, std::size_t from) const {
  for (std::size_t i = from; i < size(); ++i) {
    const Entry& entry = index_[i];
    if (entry.name_size != name.size()) continue;
    if (equal_ignoring_case({lines_.data() + entry.name, entry.name_size}, name)) return i;
  }
  return size();
}

bool Headers::contains(std::string_view name) const {
  return find(name) != size();
}

std::optional<std::string_view> Headers::first(std::string_view name) const {
  std::size_t position = find(name);
  if (position == size()) return std::nullopt;
  return (*this)[position].value;
}

std::optional<std::string> Headers::get(std::string_view name) const {
  std::optional<std::string> joined;
  for (std::size_t i = find(name); i != size(); i = find(name, i + 1)) {
    if (joined)
      joined->append(", ");
    else
      joined.emplace();
    joined->append((*this)[i].value);
  }
  return joined;
}

std::vector<std::string> Headers::get_list(std::string_view name, bool split_commas) const {
  std::vector<std::string> values;
  for (std::size_t i = find(name); i != size(); i = find(name, i + 1)) {
    std::string_view rest = (*this)[i].value;
    if (!split_commas) {
      values.emplace_back(rest);
      continue;
    }
    for (;;) {
      std::size_t comma = std::min(rest.find(','), rest.size());
      values.emplace_back(trim(rest.substr(0, comma)));
      if (comma == rest.size()) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return values;
}

void Headers::add(std::string_view name, std::string_view value) {
  constexpr std::size_t kMaxBytes = std::numeric_limits<std::uint32_t>::max();
  const std::size_t begin = lines_.size();
  // One at a time: a sum of all could wrap around.
  if (name.size() > kMaxBytes || value.size() > kMaxBytes ||
      begin + name.size() + value.size() + kFieldMarks > kMaxBytes)
    throw std::length_error("sluice::Headers: more than 4 GiB");
  const std::size_t value_begin = begin + name.size() + kColon.size();
  // First what may throw: a line without its entry would be sent.
  if (index_.size() == index_.capacity()) index_.reserve(std::max<std::size_t>(8, 2 * index_.size()));
  const std::size_t needed = value_begin + value.size() + kLineEnd.size();
  if (needed <= lines_.capacity()) {
    append_line(lines_, name, value);
  } else {
    // Into a block of its own, as name and value may be views into the old one.
    detail::String grown;
    grown.reserve(std::max(needed, 2 * lines_.capacity()));
    grown.append(lines_);
    append_line(grown, name, value);
    lines_.swap(grown);
  }
  index_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(name.size()),
                    static_cast<std::uint32_t>(value_begin), static_cast<std::uint32_t>(value.size())});
}

// Changes of what is there write the remaining lines anew: one pass, whatever the number of fields removed,
// and no gaps stay behind.

void Headers::set(std::string_view name, std::string_view value) {
  const std::size_t position = find(name);
  if (position == size()) return add(name, value);
  Headers changed;
  changed.reserve(size(), lines_.size() + name.size() + value.size());
  for (std::size_t i = 0; i < size(); ++i) {
    const Field field = (*this)[i];
    if (i == position)
      changed.add(name, value);
    else if (!equal_ignoring_case(field.name, name))
      changed.add(field.name, field.value);
  }
  *this = std::move(changed);
}

std::size_t Headers::remove(std::string_view name) {
  if (!contains(name)) return 0;
  Headers kept;
  kept.reserve(size(), lines_.size());
  for (const Field field : *this) {
    if (!equal_ignoring_case(field.name, name)) kept.add(field.name, field.value);
  }
  const std::size_t removed = size() - kept.size();
  *this = std::move(kept);
  return removed;
}

void Headers::merge(const Headers& other) {
  Headers merged;
  merged.reserve(size() + other.size(), lines_.size() + other.lines_.size());
  for (const Field field : *this) {
    if (!other.contains(field.name))
      merged.add(field.name, field.value);
    else if (!merged.contains(field.name))
      merged.add_all(other, field.name);
  }
  for (const Field field : other) {
    if (!contains(field.name)) merged.add(field.name, field.value);
  }
  *this = std::move(merged);
}

/// Appends all fields of the name in `other`.
void Headers::add_all(const Headers& other, std::string_view name) {
  for (std::size_t i = other.find(name); i != other.size(); i = other.find(name, i + 1))
    add(other[i].name, other[i].value);
}

void Headers::clear() {
  lines_.clear();
  index_.clear();
}

void Headers::reserve(std::size_t fields, std::size_t text_bytes) {
  index_.reserve(fields);
  lines_.reserve(text_bytes + fields * kFieldMarks);
}

bool operator==(const Headers& a, const Headers& b) {
  if (a.size() != b.size()) return false;
  const std::vector<Headers::Field> x = sorted(a);
  const std::vector<Headers::Field> y = sorted(b);
  return std::equal(x.begin(), x.end(), y.begin(),
                    [](const Headers::Field& one, const Headers::Field& other) {
                      return one.value == other.value && equal_ignoring_case(one.name, other.name);
                    });
}

}  // namespace sluice
