// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sluice/result.hpp>
#include <sluice/task.hpp>

#include "engine/net/address.hpp"

namespace sluice::net {

/// Turns host names into addresses.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// The addresses of a host in order of preference, never an empty list. Errors: connect_error in
  /// Phase::resolve.
  virtual Task<Result<std::vector<Address>>> resolve(std::string host, std::uint16_t port) = 0;
};

/// Answers from a hosts file: a line is an address and the names for it (man 5 hosts). The file is read again
/// when it has changed. "localhost" and names below it are the loopback addresses even when the file is
/// silent (RFC 6761, 6.3).
class HostsFileResolver : public Resolver {
 public:
  explicit HostsFileResolver(std::string path = "/etc/hosts") : path_(std::move(path)) {}
  Task<Result<std::vector<Address>>> resolve(std::string host, std::uint16_t port) override;

 private:
  struct Entry {
    Entry(std::string host_name, std::string host_address)
        : name(std::move(host_name)), address(std::move(host_address)) {}
    std::string name;  // lower case
    std::string address;
  };

  void refresh();

  std::string path_;
  std::vector<Entry> entries_;
  std::int64_t modified_nanoseconds_ = -1;
};

}  // namespace sluice::net
