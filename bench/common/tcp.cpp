// SPDX-License-Identifier: MIT
#include "bench/common/tcp.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

int connect_one(const addrinfo& address) {
  int fd = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (fd >= 0 && connect(fd, address.ai_addr, address.ai_addrlen) == 0) return fd;
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}

std::string received_head(int fd, std::size_t& received) {
  std::string data;
  char buffer[4096];
  while (data.find("\r\n\r\n") == data.npos) {
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) throw std::runtime_error("the first reply ended before its head");
    data.append(buffer, static_cast<std::size_t>(size));
  }
  received = data.size();
  data.resize(data.find("\r\n\r\n") + 4);
  return data;
}

std::size_t content_length(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr char kField[] = "\r\ncontent-length:";
  std::size_t field = head.find(kField);
  if (field == head.npos) throw std::runtime_error("the first reply has no Content-Length");
  return std::stoul(head.substr(field + sizeof kField - 1));
}

void discard(int fd, std::size_t size) {
  while (size > 0) {
    ssize_t got = recv(fd, nullptr, size, MSG_TRUNC);
    if (got <= 0) throw std::runtime_error("the first reply ended before its body");
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace

int connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string target = host + " port " + port;
  if (int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
    throw std::runtime_error("cannot resolve " + target + ": " + gai_strerror(error));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (; found != nullptr; found = found->ai_next) {
    int fd = connect_one(*found);
    if (fd < 0) continue;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }
  throw std::runtime_error("cannot connect to " + target + ": " + std::strerror(errno));
}

std::size_t learn_reply_size(int fd, const std::string& request) {
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    throw std::runtime_error("cannot send the first request");
  std::size_t received = 0;
  std::string head = received_head(fd, received);
  if (!head.starts_with("HTTP/1.1 200")) throw std::runtime_error("the first reply is not a 200");
  std::size_t size = head.size() + content_length(head);
  if (size < received) throw std::runtime_error("the first reply is longer than its Content-Length");
  discard(fd, size - received);
  return size;
}

}  // namespace bench
