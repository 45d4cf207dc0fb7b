// SPDX-License-Identifier: MIT
// Boost.Beast with C++20 coroutines on one thread: each connection reads whole responses, one after the
// other.
//
//   beast URL [-c 64] [-d 3]
#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <utility>  // Asio 1.74 uses std::exchange without it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

// Naming the executor spares the type-erased any_io_executor on every operation.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
constexpr asio::use_awaitable_t<Executor> use_awaitable{};

class Client {
 public:
  explicit Client(const bench::Load& load) : request_(http::verb::get, load.path, 11) {
    request_.set(http::field::host, load.host + ":" + load.port);
    auto endpoints = tcp::resolver(context_).resolve(load.host, load.port);
    for (unsigned i = 0; i < load.connections; ++i) asio::co_spawn(context_, connection(endpoints), rethrow);
  }

  void run_for(double seconds) {
    context_.run_for(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)));
  }

  bench::Counters counters() const { return {.requests = replies_, .bytes = bytes_}; }

 private:
  asio::awaitable<void, Executor> connection(tcp::resolver::results_type endpoints) {
    Socket socket(context_.get_executor());
    co_await asio::async_connect(socket, endpoints, use_awaitable);
    socket.set_option(tcp::no_delay(true));
    boost::beast::flat_buffer buffer;
    for (;;) {
      co_await http::async_write(socket, request_, use_awaitable);
      http::response<http::string_body> response;
      bytes_ += co_await http::async_read(socket, buffer, response, use_awaitable);
      if (response.result() != http::status::ok) throw std::runtime_error("a reply is not a 200");
      ++replies_;
    }
  }

  static void rethrow(std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  }

  asio::io_context context_{1};
  http::request<http::empty_body> request_;
  std::uint64_t replies_ = 0, bytes_ = 0;
};

void measure(bench::CommandLine& line) {
  bench::Load load = bench::take_load(line);
  line.finish();
  Client client(load);
  client.run_for(bench::kWarmUpSeconds);
  bench::Meter meter(client.counters());
  client.run_for(load.seconds);
  meter.report(client.counters());
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
