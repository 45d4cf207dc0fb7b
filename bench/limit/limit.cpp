// SPDX-License-Identifier: MIT
// The least CPU that a client can spend on this kernel: for one request with a small reply, or (--bulk) for
// the bytes of large ones. One ring, keep-alive connections, fixed request bytes, and replies that are only
// counted, by their size. Nothing is parsed after the first reply, so what remains is the kernel's own cost.
// With --discard the bytes are not even copied.
//
//   limit URL [-c 64] [-d 3] [--bulk | --discard] [--low-water 1: see each byte at once] [more: options.cpp]
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "bench/common/meter.hpp"
#include "bench/common/raw_ring.hpp"
#include "bench/common/tcp.hpp"
#include "bench/limit/options.hpp"

namespace limit {
namespace {

struct Connection {
  int socket;
  std::size_t missing = 0;  // bytes of the reply still to come
  unsigned low_water = 1;   // as set in the kernel
};

class Client {
 public:
  explicit Client(const Options& options)
      : options_(options),
        request_("GET " + options.load.path + " HTTP/1.1\r\nHost: " + options.load.host + ":" +
                 options.load.port + "\r\n\r\n") {
    if (options.batch_wait_us != 0 && !(ring_.features() & bench::kFeatureMinWait))
      throw std::runtime_error("waiting for a batch needs Linux 6.12: give --batch 1");
    connect();
    make_buffers();
    for (unsigned i = 0; i < connections_.size(); ++i) {
      send(i);
      expect_reply(i);
      receive(i);
    }
  }

  ~Client() {
    for (const Connection& connection : connections_) close(connection.socket);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run_for(double seconds) {
    start_timer(seconds);
    for (expired_ = false; !expired_;) {
      ring_.enter(options_.spin ? 0 : options_.batch, options_.batch_wait_us);
      ring_.drain([this](const io_uring_cqe& cqe) { handle(cqe); });
      if (buffers_) buffers_->commit();
    }
  }

  bench::Counters counters() const { return {replies_, bytes_, ring_.enters()}; }

 private:
  enum class Op : unsigned { kReceive, kSend, kTimer };

  void connect() {
    std::vector<int> sockets;
    for (unsigned i = 0; i < options_.load.connections; ++i)
      sockets.push_back(bench::connect_tcp(options_.load.host, options_.load.port));
    for (int socket : sockets) connections_.push_back({socket});
    reply_size_ = bench::learn_reply_size(sockets[0], request_);
    replies_ = 1;
    bytes_ = reply_size_;
    if (options_.direct) ring_.register_files(sockets);
  }

  void make_buffers() {
    if (options_.receive != Receive::kOwnBuffer)
      buffers_.emplace(ring_, options_.buffers, options_.buffer_size_bytes, options_.incremental_buffers);
    else if (!options_.discard)
      own_buffers_.emplace(connections_.size() * options_.buffer_size_bytes, -1, 0);
  }

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
    sqe.fd = options_.direct ? static_cast<int>(index) : connections_[index].socket;
    sqe.flags = options_.direct ? IOSQE_FIXED_FILE : 0;
    sqe.user_data = std::uint64_t{index} << 8 | static_cast<unsigned>(op);
    return sqe;
  }

  void receive(unsigned index) {
    io_uring_sqe& sqe = prepare(Op::kReceive, IORING_OP_RECV, index);
    if (options_.receive == Receive::kOwnBuffer)
      give_own_buffer(sqe, index);
    else
      sqe.flags |= IOSQE_BUFFER_SELECT;
    if (options_.receive == Receive::kMultishot || options_.receive == Receive::kBundle)
      sqe.ioprio |= IORING_RECV_MULTISHOT;
    if (options_.receive == Receive::kBundle) sqe.ioprio |= bench::kReceiveBundle;
    if (options_.receive_poll_first) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
    if (options_.discard) sqe.msg_flags = MSG_TRUNC;
  }

  void give_own_buffer(io_uring_sqe& sqe, unsigned index) {
    std::size_t size = options_.buffer_size_bytes;
    sqe.len = static_cast<unsigned>(std::min(size, connections_[index].missing));
    if (own_buffers_) sqe.addr = reinterpret_cast<std::uintptr_t>(own_buffers_->data() + index * size);
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
      if (buffers_) return_buffers(cqe);
      count(index, static_cast<std::size_t>(cqe.res));
    } else if (cqe.res != -ENOBUFS) {
      bench::throw_errno("receive", cqe.res < 0 ? -cqe.res : ECONNRESET);
    }
    if (cqe.flags & IORING_CQE_F_MORE) return;
    if (buffers_) buffers_->commit();  // the new receive must find them
    receive(index);
  }

  void return_buffers(const io_uring_cqe& cqe) {
    if (options_.receive == Receive::kBundle)
      buffers_->put_back_bundle(static_cast<std::size_t>(cqe.res));
    else if (!(cqe.flags & bench::kCqeBufferMore))
      buffers_->put_back(bench::buffer_id(cqe));
  }

  void count(unsigned index, std::size_t size) {
    Connection& connection = connections_[index];
    if (size > connection.missing) throw std::runtime_error("a reply differs in size from the first");
    bytes_ += size;
    connection.missing -= size;
    if (connection.missing != 0) return set_low_water(connection);
    ++replies_;
    send(index);
    expect_reply(index);
  }

  void expect_reply(unsigned index) {
    connections_[index].missing = reply_size_;
    set_low_water(connections_[index]);
  }

  // A mark above what is still to come would never be reached.
  void set_low_water(Connection& connection) const {
    unsigned mark = connection.missing > options_.low_water_bytes ? options_.low_water_bytes : 1;
    if (mark == connection.low_water) return;
    if (setsockopt(connection.socket, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) < 0)
      bench::throw_errno("setting the low water mark", errno);
    connection.low_water = mark;
  }

  Options options_;
  std::string request_;
  std::vector<Connection> connections_;
  std::size_t reply_size_ = 0;
  bench::RawRing ring_{options_.ring};
  std::optional<bench::BufferRing> buffers_;
  std::optional<bench::Mapping> own_buffers_;
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
}  // namespace limit

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, limit::measure);
}
