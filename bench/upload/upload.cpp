// SPDX-License-Identifier: MIT
// What it costs to send a file that is in the page cache, way by way: CPU of this process (all its threads,
// so the kernel's io workers too) for each GB. The sink is a child that throws everything away.
//
// The ways "file" and "generator" are what sluice makes of it, with HTTP on top.
//
//   upload FILE --way read|pread|splice|sendfile|file|generator [--gigabytes 4] [--sink copy]
//               [--block BYTES] [--blocks 2]
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/sluice.hpp>

#include "bench/common/command_line.hpp"
#include "bench/common/raw_ring.hpp"

namespace {

int check(int result, const char* what) {
  if (result < 0) bench::throw_errno(what, errno);
  return result;
}

// A process that reads a connection to its end, copying or not.
class Sink {
 public:
  Sink(bool copies, bool connect) {
    int listener = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    check(::bind(listener, raw, size), "bind");
    check(::listen(listener, 1), "listen");
    check(::getsockname(listener, raw, &size), "getsockname");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    child_ = check(::fork(), "fork");
    if (child_ == 0) swallow(::accept(listener, nullptr, nullptr), copies);
    close(listener);
    if (!connect) return;
    fd_ = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    check(::connect(fd_, raw, size), "connect");
  }
  ~Sink() {
    if (fd_ >= 0) close(fd_);
    waitpid(child_, nullptr, 0);
  }
  int fd() const { return fd_; }
  const std::string& url() const { return url_; }

 private:
  // What begins as an HTTP request is answered once it is whole.
  [[noreturn]] static void swallow(int fd, bool copies) {
    static std::array<char, 256 * 1024> buffer;
    for (std::int64_t missing = -1;;) {
      bool look = missing < 0;
      std::size_t size = look ? 1024 : buffer.size();
      ssize_t count = ::recv(fd, buffer.data(), size, look || copies ? 0 : MSG_TRUNC);
      if (count <= 0) _exit(0);
      if (look) missing = expected_bytes({buffer.data(), static_cast<std::size_t>(count)});
      missing -= count;
      if (missing != 0) continue;
      constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      (void)!::send(fd, kReply.data(), kReply.size(), MSG_NOSIGNAL);
      missing = -1;
    }
  }
  static std::int64_t expected_bytes(std::string_view start) {
    constexpr std::string_view kLength = "Content-Length: ";
    if (!start.starts_with("PUT ")) return std::numeric_limits<std::int64_t>::max();
    std::size_t head = start.find("\r\n\r\n") + 4;
    std::size_t length = start.find(kLength) + kLength.size();
    return std::strtoll(start.data() + length, nullptr, 10) + static_cast<std::int64_t>(head);
  }

  int fd_ = -1;
  pid_t child_;
  std::string url_;
};

// The file over and over, until so many bytes have been sent.
struct Transfer {
  int file;
  int socket;
  std::uint64_t file_bytes;
  std::uint64_t left;
  std::size_t block;
  unsigned blocks;
};

class Ring {
 public:
  Ring() : ring_({.entries = 16, .completions = 64}) {}
  io_uring_sqe& entry(std::uint64_t mark) {
    io_uring_sqe& sqe = ring_.sqe();
    sqe.user_data = mark;
    return sqe;
  }
  // Waits for one completion and hands out all.
  template <class Handle>
  void wait(Handle handle) {
    ring_.enter(1);
    ring_.drain([&](const io_uring_cqe& cqe) {
      if (cqe.res < 0) bench::throw_errno("an operation", -cqe.res);
      handle(static_cast<unsigned>(cqe.user_data), static_cast<std::size_t>(cqe.res));
    });
  }
  std::size_t wait_one() {
    std::size_t result = 0;
    wait([&](unsigned, std::size_t count) { result = count; });
    return result;
  }

 private:
  bench::RawRing ring_;
};

void prepare_send(io_uring_sqe& sqe, int fd, const char* data, std::size_t size) {
  io_uring_prep_send(&sqe, fd, data, size, MSG_NOSIGNAL);
}

// Reads through the ring into hot blocks; the next block is read while one is sent.
void by_read(Transfer t) {
  struct Block {
    std::vector<char> bytes;
    std::size_t size = 0, sent = 0;
    bool ready = false;
  };
  constexpr unsigned kSend = 1U << 16;
  Ring ring;
  std::vector<Block> blocks(t.blocks);
  for (Block& block : blocks) block.bytes.resize(t.block);
  std::uint64_t offset = 0, to_read = t.left;
  unsigned next_read = 0, next_send = 0, filled = 0;
  bool reading = false, sending = false;
  while (t.left > 0) {
    if (!reading && filled < t.blocks && to_read > 0) {
      Block& block = blocks[next_read];
      io_uring_prep_read(&ring.entry(next_read), t.file, block.bytes.data(), static_cast<unsigned>(t.block),
                         offset);
      reading = true;
    }
    if (!sending && blocks[next_send].ready) {
      Block& block = blocks[next_send];
      prepare_send(ring.entry(kSend), t.socket, block.bytes.data() + block.sent, block.size - block.sent);
      sending = true;
    }
    ring.wait([&](unsigned mark, std::size_t count) {
      if (mark == kSend) {
        Block& block = blocks[next_send];
        sending = false;
        block.sent += count;
        t.left -= count;
        if (block.sent == block.size) {
          block.ready = false;
          --filled;
          next_send = (next_send + 1) % t.blocks;
        }
        return;
      }
      Block& block = blocks[mark];
      reading = false;
      if (count == 0) throw std::runtime_error("the file became shorter");
      block.size = std::min<std::uint64_t>(count, to_read);
      block.sent = 0;
      block.ready = true;
      to_read -= block.size;
      offset = (offset + count) % t.file_bytes;
      ++filled;
      next_read = (next_read + 1) % t.blocks;
    });
  }
}

// Reads with pread(2) on the spot, sends through the ring.
void by_pread(Transfer t) {
  Ring ring;
  std::vector<char> block(t.block);
  for (std::uint64_t offset = 0; t.left > 0;) {
    auto size = static_cast<std::size_t>(check(
        static_cast<int>(::pread(t.file, block.data(), block.size(), static_cast<off_t>(offset))), "pread"));
    offset = (offset + size) % t.file_bytes;
    size = std::min<std::uint64_t>(size, t.left);
    for (std::size_t sent = 0; sent < size;) {
      prepare_send(ring.entry(0), t.socket, block.data() + sent, size - sent);
      sent += ring.wait_one();
    }
    t.left -= size;
  }
}

// File to pipe to socket, both through the ring, which always gives splices to its worker threads.
void by_splice(Transfer t) {
  Ring ring;
  std::array<int, 2> pipe{};
  check(::pipe2(pipe.data(), O_CLOEXEC), "pipe2");
  fcntl(pipe[1], F_SETPIPE_SZ, static_cast<int>(t.block));
  for (std::uint64_t offset = 0; t.left > 0;) {
    io_uring_prep_splice(&ring.entry(0), t.file, static_cast<std::int64_t>(offset), pipe[1], -1,
                         static_cast<unsigned>(std::min<std::uint64_t>(t.block, t.left)), 0);
    std::size_t size = ring.wait_one();
    offset = (offset + size) % t.file_bytes;
    t.left -= size;
    while (size > 0) {
      io_uring_prep_splice(&ring.entry(0), pipe[0], -1, t.socket, -1, static_cast<unsigned>(size),
                           SPLICE_F_MORE);
      size -= ring.wait_one();
    }
  }
  close(pipe[0]);
  close(pipe[1]);
}

// sendfile(2) as long as the socket takes something, then a poll through the ring.
void by_sendfile(Transfer t) {
  Ring ring;
  fcntl(t.socket, F_SETFL, fcntl(t.socket, F_GETFL) | O_NONBLOCK);
  for (off_t offset = 0; t.left > 0;) {
    ssize_t count = ::sendfile(t.socket, t.file, &offset, std::min<std::uint64_t>(t.block, t.left));
    if (count < 0 && errno == EAGAIN) {
      io_uring_prep_poll_add(&ring.entry(0), t.socket, POLLOUT);
      ring.wait_one();
      continue;
    }
    check(static_cast<int>(count), "sendfile");
    t.left -= static_cast<std::uint64_t>(count);
    offset %= static_cast<off_t>(t.file_bytes);
  }
}

// Our own blocks, over and over.
sluice::Generator<sluice::Chunk> blocks(std::size_t size, std::uint64_t total) {
  const std::string block(size, 'x');
  for (; total > 0; total -= std::min<std::uint64_t>(size, total))
    co_yield sluice::Chunk(std::string_view(block).substr(0, std::min<std::uint64_t>(size, total)));
}

// The same through the client, as PUT requests of the size of the file.
void by_sluice(Transfer t, const std::string& url, const std::string& path, bool from_file) {
  sluice::Shard shard;
  sluice::AsyncClient client(shard);
  for (std::uint64_t left = t.left; left > 0; left -= std::min(left, t.file_bytes)) {
    auto request = client.put(url);
    if (from_file)
      request.file(path);
    else
      request.body(blocks(t.block, t.file_bytes), t.file_bytes);
    if (shard.block_on(std::move(request).as_result()).value().status() != 200)
      throw std::runtime_error("the sink is not content");
  }
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void body(bench::CommandLine& line) {
  std::string path(line.positional("the file"));
  std::string way(line.value("--way").value_or("read"));
  bool copies = line.value("--sink").value_or("trunc") == "copy";
  Transfer transfer{};
  transfer.block = line.number("--block", 128 * 1024, 4096, 1U << 30);
  transfer.blocks = line.number("--blocks", 2, 1, 64);
  transfer.left = std::uint64_t{line.number("--gigabytes", 4, 1, 1000)} * 1'000'000'000;
  line.finish();
  bool ours = way == "file" || way == "generator";
  Sink sink(copies, !ours);
  transfer.file = check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open");
  transfer.socket = sink.fd();
  struct stat status {};
  check(::fstat(transfer.file, &status), "fstat");
  transfer.file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (transfer.file_bytes == 0) throw std::invalid_argument("an empty file");

  auto gigabytes = static_cast<double>(transfer.left) * 1e-9;
  double cpu = cpu_seconds();
  auto start = std::chrono::steady_clock::now();
  if (way == "read")
    by_read(transfer);
  else if (way == "pread")
    by_pread(transfer);
  else if (way == "splice")
    by_splice(transfer);
  else if (way == "sendfile")
    by_sendfile(transfer);
  else if (ours)
    by_sluice(transfer, sink.url(), path, way == "file");
  else
    throw std::invalid_argument("no such way: " + way);
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%-9s %7zu x %u  %.3f CPU s/GB  %.2f GB/s  %ld KiB\n", way.c_str(), transfer.block,
              transfer.blocks, (cpu_seconds() - cpu) / gigabytes, gigabytes / elapsed.count(),
              usage.ru_maxrss);
  close(transfer.file);
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  return bench::guarded_main(argc, argv, body);
}
