// SPDX-License-Identifier: MIT
#include "engine/net/address.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>

namespace sluice::net {

std::optional<Address> Address::from_literal(std::string_view text, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(terminated.data(), text.size());
  Address address;
  in_addr v4{};
  if (inet_pton(AF_INET, terminated.data(), &v4) == 1) {
    address.storage_.v4 = {};
    address.storage_.v4.sin_family = AF_INET;
    address.storage_.v4.sin_port = htons(port);
    address.storage_.v4.sin_addr = v4;
    address.size_ = sizeof(sockaddr_in);
    return address;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, terminated.data(), &v6) == 1) {
    address.storage_.v6 = {};
    address.storage_.v6.sin6_family = AF_INET6;
    address.storage_.v6.sin6_port = htons(port);
    address.storage_.v6.sin6_addr = v6;
    address.size_ = sizeof(sockaddr_in6);
    return address;
  }
  return std::nullopt;
}

Result<Address> Address::unix_socket(std::string_view path) {
  Address address;
  sockaddr_un& raw = address.storage_.unix_path;
  raw = {};
  raw.sun_family = AF_UNIX;
  bool abstract = path.starts_with('@');
  bool fits = !path.empty() && path.size() < sizeof(raw.sun_path);
  if (!fits || path.find('\0') != std::string_view::npos)
    return Error(ErrorKind::connect_error, Phase::setup,
                 "a unix socket path must have 1 to 107 bytes and no NUL: '" + std::string(path) + "'");
  path.copy(raw.sun_path, path.size());
  if (abstract) raw.sun_path[0] = '\0';
  std::size_t terminator = abstract ? 0 : 1;
  address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + terminator);
  return address;
}

Address Address::of_socket(int fd, bool peer) {
  Address address;
  socklen_t size = sizeof(Storage);
  address.storage_.unix_path = {};
  int result = peer ? getpeername(fd, &address.storage_.generic, &size)
                    : getsockname(fd, &address.storage_.generic, &size);
  if (result == 0) address.size_ = size;
  return address;
}

std::uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

std::string Address::str() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family()) {
    case AF_INET:
      inet_ntop(AF_INET, &storage_.v4.sin_addr, text.data(), text.size());
      return std::string(text.data()) + ":" + std::to_string(port());
    case AF_INET6:
      inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text.data(), text.size());
      return "[" + std::string(text.data()) + "]:" + std::to_string(port());
    case AF_UNIX: {
      const char* path = storage_.unix_path.sun_path;
      bool abstract = path[0] == '\0' && size_ > offsetof(sockaddr_un, sun_path) + 1;
      if (!abstract) return "unix:" + std::string(path);
      return "unix:@" + std::string(path + 1, size_ - offsetof(sockaddr_un, sun_path) - 1);
    }
    default:
      return "";
  }
}

}  // namespace sluice::net
