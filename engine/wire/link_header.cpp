// SPDX-License-Identifier: MIT
#include "engine/wire/link_header.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sluice::wire {
namespace {

constexpr std::string_view kAroundValues = " '\"";
constexpr std::string_view kAroundTargets = "<> '\"";

std::string_view strip(std::string_view text, std::string_view characters) {
  const std::size_t first = text.find_first_not_of(characters);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(characters) - first + 1);
}

/// Takes off the part before the separator, and the separator.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

/// Takes off one link and what separates it from the next: a comma, blanks and the '<' of the next. Returns
/// whether there is a next one; it may be empty.
bool take_link(std::string_view& text, std::string_view& link) {
  for (std::size_t comma = text.find(','); comma != text.npos; comma = text.find(',', comma + 1)) {
    const std::size_t next = text.find_first_not_of(' ', comma + 1);
    if (next == text.npos || text[next] != '<') continue;
    link = text.substr(0, comma);
    text.remove_prefix(next + 1);
    return true;
  }
  link = text;
  return false;
}

Link parse_link(std::string_view text) {
  Link link;
  link.emplace("url", strip(take_until(text, ';'), kAroundTargets));
  while (!text.empty()) {
    std::string_view value = take_until(text, ';');
    const std::string_view name = take_until(value, '=');
    // Neither a parameter without '=' nor one with two can be told from the rest of a value that holds a ';'.
    const bool well_formed = value.data() != name.data() + name.size() && value.find('=') == value.npos;
    if (!well_formed) break;
    link.insert_or_assign(std::string(strip(name, kAroundValues)), strip(value, kAroundValues));
  }
  return link;
}

const std::string& key_of(const Link& link) {
  auto relation = link.find("rel");
  return relation != link.end() && !relation->second.empty() ? relation->second : link.find("url")->second;
}

}  // namespace

Links parse_links(std::string_view link_header) {
  Links links;
  std::string_view rest = strip(link_header, kAroundValues);
  if (rest.empty()) return links;
  std::string_view text;
  bool more = true;
  while (more) {
    more = take_link(rest, text);
    Link link = parse_link(text);
    std::string key = key_of(link);
    links.insert_or_assign(std::move(key), std::move(link));
  }
  return links;
}

}  // namespace sluice::wire
