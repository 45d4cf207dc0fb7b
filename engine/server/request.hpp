// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <sluice/headers.hpp>
#include <sluice/method.hpp>

#include "engine/wire/head_parser.hpp"

namespace sluice::server {

/// A request as a handler sees it. Views: valid until the handler has ended.
class Request {
 public:
  Request(const wire::RequestHead& head, std::string_view body);

  const Method& method() const noexcept { return head_->method; }
  /// As sent, in any of its forms.
  std::string_view target() const noexcept { return head_->target; }
  /// Of the target, percent-encoded; without a host and without the query.
  std::string_view path() const noexcept { return path_; }
  /// What follows the path of the route, without the slash between them.
  std::string_view rest() const noexcept { return rest_; }
  std::string_view query() const noexcept { return query_; }
  int version_minor() const noexcept { return head_->version_minor; }
  const Headers& headers() const noexcept { return head_->headers; }
  std::string_view body() const noexcept { return body_; }

 private:
  friend class Connection;

  const wire::RequestHead* head_;
  std::string_view path_;
  std::string_view rest_;
  std::string_view query_;
  std::string_view body_;
};

}  // namespace sluice::server
