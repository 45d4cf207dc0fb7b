// SPDX-License-Identifier: MIT
#include "engine/server/request.hpp"

namespace sluice::server {
namespace {

/// The target without "http://host", which a client may send as well (RFC 9112, 3.2.2).
std::string_view origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return target;
  std::size_t path = target.find_first_of("/?", scheme_end + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

}  // namespace

Request::Request(const wire::RequestHead& head, std::string_view body) : head_(&head), body_(body) {
  std::string_view target = origin_form(head.target);
  std::size_t mark = target.find('?');
  path_ = mark == 0 ? "/" : target.substr(0, mark);
  if (mark != std::string_view::npos) query_ = target.substr(mark + 1);
}

}  // namespace sluice::server
