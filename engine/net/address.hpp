// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <sluice/result.hpp>

namespace sluice::net {

/// A socket address: IPv4, IPv6 or a unix socket's path. Trivially copyable.
class Address {
 public:
  /// The empty address, which nothing can connect to.
  Address() = default;

  /// A dotted quad or an IPv6 address without brackets; nothing if `text` is neither.
  static std::optional<Address> from_literal(std::string_view text, std::uint16_t port);
  /// A path of at most 107 bytes without NUL. A leading "@" means the abstract namespace. Errors:
  /// connect_error.
  static Result<Address> unix_socket(std::string_view path);
  /// The address that a connected or bound socket has on this side (`peer` false) or the other.
  static Address of_socket(int fd, bool peer);

  int family() const noexcept { return storage_.generic.sa_family; }
  const sockaddr& raw() const noexcept { return storage_.generic; }
  socklen_t size() const noexcept { return size_; }
  std::uint16_t port() const noexcept;
  /// "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock".
  std::string str() const;

 private:
  union Storage {
    sockaddr generic{};
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un unix_path;
  } storage_;
  socklen_t size_ = 0;
};

}  // namespace sluice::net
