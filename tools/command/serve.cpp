// SPDX-License-Identifier: MIT
#include "tools/command/serve.hpp"

#include <cstdio>
#include <future>

#include <sluice/engine.hpp>

#include "engine/server/fault_routes.hpp"
#include "engine/server/server.hpp"
#include "engine/server/standard_routes.hpp"
#include "tools/command/failure.hpp"
#include "tools/command/stop.hpp"

namespace sluice::command {
namespace {

constexpr Duration kGrace = std::chrono::seconds(2);

/// One port for all shards: the first binds it, the others join.
class SharedPort {
 public:
  explicit SharedPort(const ServeArguments& arguments) : arguments_(&arguments) {}

  net::Address address_for(unsigned shard) {
    if (!arguments_->unix_socket.empty()) return net::Address::unix_socket(arguments_->unix_socket).value();
    std::uint16_t port = shard == 0 ? arguments_->port : bound_.get();
    auto address = net::Address::from_literal(arguments_->host, port);
    if (!address) throw Failure(kUsage, "--host takes an IP address, not '" + arguments_->host + "'");
    return *address;
  }
  void bound(const net::Address& address) { first_.set_value(address.port()); }
  void failed() { first_.set_exception(std::current_exception()); }

 private:
  const ServeArguments* arguments_;
  std::promise<std::uint16_t> first_;
  std::shared_future<std::uint16_t> bound_{first_.get_future()};
};

void announce(const net::Address& address) {
  std::string place = address.str();
  const char* scheme = address.family() == AF_UNIX ? "" : "http://";
  std::printf("listening on %s%s\n", scheme, place.c_str());
  std::fflush(stdout);
}

void listen(server::Server& server, const ServeArguments& arguments, SharedPort& port, unsigned shard) {
  net::ListenOptions options;
  options.reuse_port = arguments.shards > 1;
  net::Address address = server.listen(port.address_for(shard), options).value();
  if (shard != 0) return;
  port.bound(address);
  announce(address);
}

Task<void> serve_on(Shard& shard, const ServeArguments& arguments, SharedPort& port, StopSignal& stop) {
  server::Server server(shard.loop());
  server::add_standard_routes(server);
  server::add_fault_routes(server);
  try {
    listen(server, arguments, port, shard.index);
  } catch (...) {
    if (shard.index == 0) port.failed();
    stop.request();
    throw;
  }
  co_await stop.wait(shard);
  co_await server.stop(kGrace);
}

}  // namespace

int serve(const ServeArguments& arguments) {
  if (!arguments.unix_socket.empty() && arguments.shards != 1)
    throw Failure(kUsage, "a unix socket is served by one shard only");
  StopSignal stop;
  SharedPort port(arguments);
  EngineOptions options;
  options.shards = arguments.shards;
  Engine engine(options);
  SignalThread signals([&stop] { stop.request(); });
  engine.run_on_each([&](Shard& shard) { return serve_on(shard, arguments, port, stop); });
  return kSuccess;
}

}  // namespace sluice::command
