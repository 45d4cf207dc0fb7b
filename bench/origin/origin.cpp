// SPDX-License-Identifier: MIT
// A fixed-reply origin that costs a client as little as possible. It parses nothing: the blank line that ends
// a request head is all it looks for, so requests must have no body. One thread, one ring.
//
//   origin [--port 0] [--body 128] [--replies N] [--spin]
//
// Prints its port as the first line. --replies N answers the first N requests of each connection and then
// falls silent: against it, a client's CPU is its set-up cost alone. --spin never sleeps, so that no client
// pays for waking it.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/common/command_line.hpp"
#include "bench/common/raw_ring.hpp"

namespace {

constexpr unsigned kBuffers = 4096;
constexpr unsigned kBufferSize = 2048;
constexpr unsigned kMostRepliesPerSend = 64;
constexpr std::size_t kMostBytesPerSend = 1 << 20;  // but for a reply that is longer

enum class Op : unsigned { kAccept, kReceive, kSend };

struct Connection {
  unsigned matched = 0;     // bytes of "\r\n\r\n" seen at the end of what was received
  unsigned unanswered = 0;  // requests that wait for their reply
  unsigned sending = 0;     // replies in the send in flight: one at a time keeps them in order
  unsigned remaining = 0;   // replies that this connection may still get
  bool ended = false;       // its receive is over
};

std::string make_reply(unsigned body) {
  char date[64];
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
  return std::string("HTTP/1.1 200 OK\r\nServer: origin\r\nDate: ") + date +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body) +
         "\r\nConnection: keep-alive\r\n\r\n" + std::string(body, 'x');
}

std::string repeated(const std::string& text, unsigned times) {
  std::string all;
  for (unsigned i = 0; i < times; ++i) all += text;
  return all;
}

// How many request heads end in `data`; `matched` carries a blank line that is split across receives.
unsigned count_heads(const char* data, std::size_t size, unsigned& matched) {
  constexpr char kBlankLine[] = "\r\n\r\n";
  unsigned heads = 0;
  for (const char *at = data, *end = data + size; at != end; ++at) {
    if (matched == 0) {
      at = static_cast<const char*>(std::memchr(at, '\r', static_cast<std::size_t>(end - at)));
      if (at == nullptr) break;
      matched = 1;
    } else if (*at != kBlankLine[matched]) {
      matched = *at == '\r' ? 1 : 0;
    } else if (++matched == 4) {
      matched = 0;
      ++heads;
    }
  }
  return heads;
}

unsigned replies_per_send(std::size_t reply_size) {
  return static_cast<unsigned>(
      std::clamp<std::size_t>(kMostBytesPerSend / reply_size, 1, kMostRepliesPerSend));
}

class Origin {
 public:
  Origin(int listener, const std::string& reply, unsigned replies, bool spin)
      : listener_(listener),
        reply_size_(reply.size()),
        replies_per_send_(replies_per_send(reply.size())),
        replies_(repeated(reply, replies_per_send_)),
        replies_per_connection_(replies),
        wait_nr_(spin ? 0 : 1) {}

  [[noreturn]] void run() {
    accept();
    for (;;) {
      ring_.enter(wait_nr_);
      ring_.drain([this](const io_uring_cqe& cqe) { handle(cqe); });
      buffers_.commit();
    }
  }

 private:
  void handle(const io_uring_cqe& cqe) {
    auto fd = static_cast<int>(cqe.user_data >> 8);
    switch (static_cast<Op>(cqe.user_data & 0xff)) {
      case Op::kAccept:
        return accepted(cqe);
      case Op::kReceive:
        return received(fd, cqe);
      case Op::kSend:
        return sent(fd, cqe.res);
    }
  }

  io_uring_sqe& prepare(Op op, unsigned char opcode, int fd) {
    io_uring_sqe& sqe = ring_.sqe();
    sqe.opcode = opcode;
    sqe.fd = fd;
    sqe.user_data = static_cast<std::uint64_t>(fd) << 8 | static_cast<unsigned>(op);
    return sqe;
  }

  void accept() { prepare(Op::kAccept, IORING_OP_ACCEPT, listener_).ioprio = IORING_ACCEPT_MULTISHOT; }

  void accepted(const io_uring_cqe& cqe) {
    if (!(cqe.flags & IORING_CQE_F_MORE)) accept();
    if (cqe.res < 0) return;
    auto fd = static_cast<std::size_t>(cqe.res);
    if (connections_.size() <= fd) connections_.resize(fd + 1);
    connections_[fd] = {.remaining = replies_per_connection_};
    int on = 1;
    setsockopt(cqe.res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    receive(cqe.res);
  }

  void receive(int fd) {
    io_uring_sqe& sqe = prepare(Op::kReceive, IORING_OP_RECV, fd);
    sqe.ioprio = IORING_RECV_MULTISHOT;
    sqe.flags = IOSQE_BUFFER_SELECT;
  }

  void received(int fd, const io_uring_cqe& cqe) {
    Connection& connection = at(fd);
    if (cqe.res > 0) {
      unsigned id = bench::buffer_id(cqe);
      unsigned heads = count_heads(buffers_.data(id), static_cast<std::size_t>(cqe.res), connection.matched);
      buffers_.put_back(id);
      unsigned answered = std::min(heads, connection.remaining);
      connection.remaining -= answered;
      connection.unanswered += answered;
      send(fd);
    }
    if (cqe.flags & IORING_CQE_F_MORE) return;
    if (cqe.res > 0 || cqe.res == -ENOBUFS) return rearm(fd);
    connection.ended = true;
    close_if_idle(fd);
  }

  // A receive that ended for want of buffers: they are back before the next enter, which submits this one.
  void rearm(int fd) {
    buffers_.commit();
    receive(fd);
  }

  void send(int fd) {
    Connection& connection = at(fd);
    if (connection.sending != 0 || connection.unanswered == 0) return;
    connection.sending = std::min(connection.unanswered, replies_per_send_);
    connection.unanswered -= connection.sending;
    io_uring_sqe& sqe = prepare(Op::kSend, IORING_OP_SEND, fd);
    sqe.addr = reinterpret_cast<std::uintptr_t>(replies_.data());
    sqe.len = static_cast<unsigned>(connection.sending * reply_size_);
    sqe.msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
  }

  void sent(int fd, int result) {
    Connection& connection = at(fd);
    bool complete = result == static_cast<int>(connection.sending * reply_size_);
    connection.sending = 0;
    if (!complete) {  // the peer is gone: end the receive too
      connection.unanswered = connection.remaining = 0;
      shutdown(fd, SHUT_RDWR);
    }
    send(fd);
    close_if_idle(fd);
  }

  void close_if_idle(int fd) {
    if (at(fd).ended && at(fd).sending == 0) close(fd);
  }

  Connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

  int listener_;
  std::size_t reply_size_;
  unsigned replies_per_send_;
  std::string replies_;
  unsigned replies_per_connection_;
  unsigned wait_nr_;
  bench::RawRing ring_{bench::RingOptions{}};
  bench::BufferRing buffers_{ring_, kBuffers, kBufferSize};
  std::vector<Connection> connections_;
};

int listen_on(unsigned port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) bench::throw_errno("socket", errno);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) bench::throw_errno("bind", errno);
  if (listen(fd, SOMAXCONN) < 0) bench::throw_errno("listen", errno);
  return fd;
}

unsigned port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

void serve(bench::CommandLine& line) {
  unsigned port = line.number("--port", 0, 0, 65535);
  unsigned body = line.number("--body", 128, 0, 1 << 30);
  unsigned replies = line.number("--replies", ~0U, 1, ~0U);
  bool spin = line.flag("--spin");
  line.finish();
  int listener = listen_on(port);
  std::printf("%u\n", port_of(listener));
  std::fflush(stdout);
  Origin(listener, make_reply(body), replies, spin).run();
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, serve);
}
