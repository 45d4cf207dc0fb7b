// SPDX-License-Identifier: MIT
// The least CPU that a client can spend for one request on this kernel: one ring, keep-alive connections, a
// multishot receive for each, fixed request bytes, and replies that are only counted, by their size. Nothing
// is parsed after the first reply, so what remains is the kernel's own cost.
//
//   limit URL [-c 64] [-d 3] [--batch 1: wake for each reply] [more ring options: see take_options]
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"
#include "bench/common/raw_ring.hpp"
#include "bench/common/tcp.hpp"

namespace {

// How long to wait for the rest of a batch (0: for ever). Long enough that a busy origin answers every
// connection first: a timer that fires costs more than the batch saves.
constexpr unsigned kBatchWaitUs = 2000;

struct Options {
  bench::Load load;
  bench::RingOptions ring;
  unsigned batch, batch_wait_us;
  unsigned buffers, buffer_size;
  bool incremental_buffers, one_shot, receive_poll_first, send_poll_first, skip_send_cqe, direct, spin;
};

Options take_options(bench::CommandLine& line) {
  Options o{};
  o.load = bench::take_load(line);
  // A whole round of replies at a time costs least: see kBatchWaitUs.
  o.batch = line.number("--batch", o.load.connections, 1, o.load.connections);
  o.batch_wait_us = line.number("--batch-wait-us", o.batch == 1 ? 0 : kBatchWaitUs, 0, 100'000);
  o.buffers = line.number("--buffers", 1024, 1, 32'768);
  o.buffer_size = line.number("--buffer-size", 4096, 64, 1 << 20);
  o.incremental_buffers = line.flag("--incremental-buffers");
  o.one_shot = line.flag("--one-shot");  // a new receive for each reply
  o.receive_poll_first = line.flag("--receive-poll-first");
  o.send_poll_first = line.flag("--send-poll-first");
  o.skip_send_cqe = line.flag("--skip-send-cqe");  // a successful send completes silently
  o.direct = line.flag("--direct");                // direct descriptors
  o.spin = line.flag("--spin");                    // never sleep
  o.ring.registered_fd = !line.flag("--no-registered-ring");
  o.ring.defer_taskrun = !line.flag("--no-defer");
  o.ring.no_iowait = line.flag("--no-iowait");
  o.ring.no_sq_array = line.flag("--no-sq-array");
  line.finish();
  return o;
}

class Client {
 public:
  explicit Client(const Options& options)
      : options_(options),
        request_("GET " + options.load.path + " HTTP/1.1\r\nHost: " + options.load.host + ":" +
                 options.load.port + "\r\n\r\n") {
    for (unsigned i = 0; i < options.load.connections; ++i)
      sockets_.push_back(bench::connect_tcp(options.load.host, options.load.port));
    reply_size_ = bench::learn_reply_size(sockets_[0], request_);
    missing_.assign(sockets_.size(), reply_size_);
    if (options.direct) ring_.register_files(sockets_);
    if (options.batch_wait_us != 0 && !(ring_.features() & bench::kFeatureMinWait))
      throw std::runtime_error("waiting for a batch needs Linux 6.12: give --batch 1");
    for (unsigned i = 0; i < sockets_.size(); ++i) {
      receive(i);
      send(i);
    }
  }

  ~Client() {
    for (int fd : sockets_) close(fd);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run_for(double seconds) {
    start_timer(seconds);
    for (expired_ = false; !expired_;) {
      ring_.enter(options_.spin ? 0 : options_.batch, options_.batch_wait_us);
      ring_.drain([this](const io_uring_cqe& cqe) { handle(cqe); });
      buffers_.commit();
    }
  }

  bench::Counters counters() const { return {replies_, bytes_, ring_.enters()}; }

 private:
  enum class Op : unsigned { kReceive, kSend, kTimer };

  void handle(const io_uring_cqe& cqe) {
    auto index = static_cast<unsigned>(cqe.user_data >> 8);
    switch (static_cast<Op>(cqe.user_data & 0xff)) {
      case Op::kReceive:
        return received(index, cqe);
      case Op::kSend:
        return sent(cqe.res);
      case Op::kTimer:
        expired_ = true;
        return;
    }
  }

  // The end of a run is an operation of its own: a timeout given to each enter would cost each of them.
  void start_timer(double seconds) {
    double whole = std::floor(seconds);
    timer_ = {static_cast<std::int64_t>(whole), static_cast<long long>((seconds - whole) * 1e9)};
    io_uring_sqe& sqe = ring_.sqe();
    sqe.opcode = IORING_OP_TIMEOUT;
    sqe.addr = reinterpret_cast<std::uintptr_t>(&timer_);
    sqe.len = 1;
    sqe.user_data = static_cast<unsigned>(Op::kTimer);
  }

  io_uring_sqe& prepare(Op op, unsigned char opcode, unsigned index) {
    io_uring_sqe& sqe = ring_.sqe();
    sqe.opcode = opcode;
    sqe.fd = options_.direct ? static_cast<int>(index) : sockets_[index];
    sqe.flags = options_.direct ? IOSQE_FIXED_FILE : 0;
    sqe.user_data = std::uint64_t{index} << 8 | static_cast<unsigned>(op);
    return sqe;
  }

  void receive(unsigned index) {
    io_uring_sqe& sqe = prepare(Op::kReceive, IORING_OP_RECV, index);
    sqe.flags |= IOSQE_BUFFER_SELECT;
    if (!options_.one_shot) sqe.ioprio |= IORING_RECV_MULTISHOT;
    if (options_.receive_poll_first) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
  }

  void send(unsigned index) {
    io_uring_sqe& sqe = prepare(Op::kSend, IORING_OP_SEND, index);
    sqe.addr = reinterpret_cast<std::uintptr_t>(request_.data());
    sqe.len = static_cast<unsigned>(request_.size());
    sqe.msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    if (options_.skip_send_cqe) sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
    if (options_.send_poll_first) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
  }

  void sent(int result) const {
    if (result != static_cast<int>(request_.size())) bench::throw_errno("send", result < 0 ? -result : EPIPE);
  }

  void received(unsigned index, const io_uring_cqe& cqe) {
    if (cqe.res > 0) {
      if (!(cqe.flags & bench::kCqeBufferMore)) buffers_.put_back(bench::buffer_id(cqe));
      count(index, static_cast<std::size_t>(cqe.res));
    } else if (cqe.res != -ENOBUFS) {
      bench::throw_errno("receive", cqe.res < 0 ? -cqe.res : ECONNRESET);
    }
    if (cqe.flags & IORING_CQE_F_MORE) return;
    buffers_.commit();  // the new receive must find them
    receive(index);
  }

  void count(unsigned index, std::size_t size) {
    bytes_ += size;
    if (size > missing_[index]) throw std::runtime_error("a reply differs in size from the first");
    missing_[index] -= size;
    if (missing_[index] != 0) return;
    missing_[index] = reply_size_;
    ++replies_;
    send(index);
  }

  Options options_;
  std::string request_;
  std::vector<int> sockets_;
  std::size_t reply_size_ = 0;
  std::vector<std::size_t> missing_;  // bytes of the reply still to come, by connection
  bench::RawRing ring_{options_.ring};
  bench::BufferRing buffers_{ring_, options_.buffers, options_.buffer_size, options_.incremental_buffers};
  __kernel_timespec timer_{};
  bool expired_ = false;
  std::uint64_t replies_ = 0, bytes_ = 0;
};

void measure(bench::CommandLine& line) {
  Options options = take_options(line);
  Client client(options);
  client.run_for(bench::kWarmUpSeconds);
  bench::Meter meter(client.counters());
  client.run_for(options.load.seconds);
  meter.report(client.counters());
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
