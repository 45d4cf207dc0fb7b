// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/net/address.hpp"
#include "engine/net/fd.hpp"

/// Servers for tests: plain threads and blocking sockets, so that they share nothing with what they test.
namespace sluice::testing {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// What one side waits for and the other opens.
class Gate {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  bool is_open() {
    std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

struct ReceivedRequest {
  std::string head;  // with its blank line
  std::string body;

  std::string line() const { return head.substr(0, head.find('\r')); }
  /// All values of a field, joined with "|"; "-" when there is none.
  std::string field(std::string_view name) const {
    std::string values;
    bool found = false;
    for (std::size_t at = head.find('\n') + 1; at + 2 < head.size(); at = head.find('\n', at) + 1) {
      std::string line = head.substr(at, head.find('\r', at) - at);
      std::size_t colon = line.find(':');
      if (!equal_ignoring_case(line.substr(0, colon), name)) continue;
      values += (found ? "|" : "") + line.substr(colon + 2);
      found = true;
    }
    return found ? values : "-";
  }

 private:
  static bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
  }
};

/// The peer's end of one connection. Reading ends early when the other side has gone or the peer shuts down.
class PeerConnection {
 public:
  PeerConnection(int connection_index, net::Fd fd) : index(connection_index), fd_(std::move(fd)) {
    int on = 1;
    setsockopt(fd_.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  const int index;  // 0 for the peer's first connection
  Gate ending;      // opens when the peer shuts down

  /// Up to and with the blank line; what is there if the client goes before.
  std::string read_head() {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      std::string byte = read(1);
      if (byte.empty()) break;
      head += byte;
    }
    return head;
  }
  std::string read(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t size = 0;
    while (size < count) {
      ssize_t result = recv(fd_.number(), bytes.data() + size, count - size, 0);
      if (result < 0 && errno == EINTR) continue;
      if (result <= 0) break;
      size += static_cast<std::size_t>(result);
    }
    bytes.resize(size);
    return bytes;
  }
  /// Everything until the client's FIN.
  std::string read_to_end() {
    std::string all;
    for (std::string part = read(1); !part.empty(); part = read(1)) all += part;
    return all;
  }
  /// A request with the body that Content-Length announces; nothing at the end of the connection.
  std::optional<ReceivedRequest> read_request() {
    ReceivedRequest request;
    request.head = read_head();
    if (!request.head.ends_with("\r\n\r\n")) return std::nullopt;
    std::string length = request.field("content-length");
    if (length != "-") request.body = read(std::strtoull(length.c_str(), nullptr, 10));
    return request;
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t result = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (result < 0 && errno == EINTR) continue;
      if (result <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(result));
    }
    return true;
  }
  bool send_pieces(const std::vector<std::string>& pieces) {
    for (const std::string& piece : pieces) {
      if (!send(piece)) return false;
    }
    return true;
  }
  /// Sends as much as the socket takes without waiting; returns how many bytes.
  std::size_t send_what_fits(std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      ssize_t result =
          ::send(fd_.number(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (result <= 0) break;
      sent += static_cast<std::size_t>(result);
    }
    return sent;
  }
  /// A small window, so that a peer that does not read soon blocks the client.
  void shrink_receive_buffer(int size = 4096) {
    setsockopt(fd_.number(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }

  int descriptor() const { return fd_.number(); }
  void half_close() { ::shutdown(fd_.number(), SHUT_WR); }
  void close() {
    std::lock_guard lock(mutex_);
    fd_.close();
  }
  /// The client gets RST.
  void reset() {
    linger option{1, 0};
    setsockopt(fd_.number(), SOL_SOCKET, SO_LINGER, &option, sizeof(option));
    close();
  }

 private:
  friend class Peer;
  void end() {
    ending.open();
    std::lock_guard lock(mutex_);
    if (fd_) ::shutdown(fd_.number(), SHUT_RDWR);
  }

  std::mutex mutex_;  // guards closing against end()
  net::Fd fd_;
};

/// 127.0.0.1 with any free port.
inline net::Address loopback(std::string_view address = "127.0.0.1") {
  return *net::Address::from_literal(address, 0);
}

/// Listens on a free port of 127.0.0.1 (or at another address) and plays a script on every connection, each
/// in a thread of its own. A connection is closed when its script returns.
class Peer {
 public:
  using Script = std::function<void(PeerConnection&)>;

  explicit Peer(Script script, const net::Address& address = loopback()) : script_(std::move(script)) {
    listener_ = net::Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.number(), &address.raw(), address.size()) != 0 ||
        ::listen(listener_.number(), 4096) != 0)
      throw std::runtime_error("the test's peer cannot listen");
    address_ = net::Address::of_socket(listener_.number(), false);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { stop(); }

  /// Answers every request with the same bytes, until the client closes.
  static Script answering(std::string response) {
    return [response = std::move(response)](PeerConnection& connection) {
      while (connection.read_request() && connection.send(response)) {
      }
    };
  }
  /// Sends the bytes after the first request and closes.
  static Script answering_once(std::string response) {
    return [response = std::move(response)](PeerConnection& connection) {
      connection.read_request();
      connection.send(response);
    };
  }
  /// Reads nothing, says nothing, until the client or the test ends.
  static Script silent() {
    return [](PeerConnection& connection) { connection.ending.wait(); };
  }

  const net::Address& address() const { return address_; }
  std::uint16_t port() const { return address_.port(); }
  std::string authority() const { return address_.str(); }
  std::string url(std::string_view path = "/") const { return "http://" + authority() + std::string(path); }

  int connections() const { return connections_; }
  int ended_connections() const { return ended_; }

  /// Ends all scripts and waits for them.
  void stop() {
    if (!acceptor_.joinable()) return;
    ::shutdown(listener_.number(), SHUT_RDWR);
    acceptor_.join();
    listener_.close();
    for (Session& session : sessions_) session.connection->end();
    for (Session& session : sessions_) session.thread.join();
    sessions_.clear();
  }

 private:
  struct Session {
    std::unique_ptr<PeerConnection> connection;
    std::thread thread;
    std::atomic<bool> ended{false};
  };

  void accept_all() {
    for (;;) {
      net::Fd fd(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
      if (!fd && errno == EMFILE) {  // a test takes all descriptors away for a while
        std::this_thread::yield();
        continue;
      }
      if (!fd) return;
      forget_ended_sessions();
      Session& session = sessions_.emplace_back();
      session.connection = std::make_unique<PeerConnection>(connections_++, std::move(fd));
      session.thread = std::thread([this, &session] {
        script_(*session.connection);
        session.connection->close();
        ++ended_;
        session.ended = true;
      });
    }
  }

  void forget_ended_sessions() {
    for (auto session = sessions_.begin(); session != sessions_.end();) {
      if (!session->ended) {
        ++session;
        continue;
      }
      session->thread.join();
      session = sessions_.erase(session);
    }
  }

  Script script_;
  net::Fd listener_;
  net::Address address_;
  std::atomic<int> connections_{0};
  std::atomic<int> ended_{0};
  std::list<Session> sessions_;  // the acceptor's until it has ended
  std::thread acceptor_;
};

/// Lets a script do one step at a time: it takes a token for each, the test adds them.
class Tokens {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_one();
  }
  /// False once close() was called.
  bool take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ > 0 || closed_; });
    if (closed_) return false;
    --count_;
    return true;
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
  bool closed_ = false;
};

/// What a Peer's scripts leave for the test to look at.
class RequestLog {
 public:
  void add(ReceivedRequest request) {
    std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  std::vector<ReceivedRequest> all() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  ReceivedRequest last() {
    std::lock_guard lock(mutex_);
    return requests_.empty() ? ReceivedRequest() : requests_.back();
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return requests_.size();
  }
  /// A script that notes each request and answers it.
  Peer::Script answering(std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
    return [this, response = std::move(response)](PeerConnection& connection) {
      while (auto request = connection.read_request()) {
        add(*std::move(request));
        if (!connection.send(response)) return;
      }
    };
  }

 private:
  std::mutex mutex_;
  std::vector<ReceivedRequest> requests_;
};

/// A listener that never accepts and whose queue is full: connecting to it takes forever.
class DeafPeer {
 public:
  DeafPeer() {
    net::Address any = loopback();
    listener_ = net::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.number(), &any.raw(), any.size()) != 0 || ::listen(listener_.number(), 0) != 0)
      throw std::runtime_error("the test's peer cannot listen");
    address_ = net::Address::of_socket(listener_.number(), false);
    for (int i = 0; i < 4; ++i) {
      net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(fd.number(), &address_.raw(), address_.size());
      queue_.push_back(std::move(fd));
    }
  }
  const net::Address& address() const { return address_; }
  std::string url() const { return "http://" + address_.str() + "/"; }

 private:
  net::Fd listener_;
  net::Address address_;
  std::vector<net::Fd> queue_;
};

/// A port of 127.0.0.1 that is bound and does not listen: connecting is refused, and nobody else can take it.
class ClosedPort {
 public:
  ClosedPort() {
    net::Address any = loopback();
    fd_ = net::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(fd_.number(), &any.raw(), any.size()) != 0) throw std::runtime_error("no port for the test");
    address_ = net::Address::of_socket(fd_.number(), false);
  }
  const net::Address& address() const { return address_; }
  std::string url() const { return "http://" + address_.str() + "/"; }

 private:
  net::Fd fd_;
  net::Address address_;
};

/// "HTTP/1.1 200 OK" with a body and its length.
inline std::string ok_response(std::string_view body = "", std::string_view more_fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more_fields) + "\r\n" + std::string(body);
}

/// A body whose every part differs, so that lost, doubled and swapped pieces show.
inline std::string patterned_bytes(std::size_t size) {
  std::string bytes;
  bytes.reserve(size + 12);
  for (std::size_t i = 0; bytes.size() < size; ++i) bytes += std::to_string(i * 7919 % 1000003) + ",";
  bytes.resize(size);
  return bytes;
}

}  // namespace sluice::testing
