// SPDX-License-Identifier: MIT
#include "engine/net/resolver.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

namespace sluice::net {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::int64_t modification_time(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return 0;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

bool is_localhost(const std::string& name) {
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace

Task<Result<std::vector<Address>>> HostsFileResolver::resolve(std::string host, std::uint16_t port) {
  refresh();
  std::string name = lower_case(std::move(host));
  if (name.ends_with('.')) name.pop_back();  // the absolute form of the same name
  std::vector<Address> addresses;
  for (const Entry& entry : entries_) {
    if (entry.name != name) continue;
    if (auto address = Address::from_literal(entry.address, port)) addresses.push_back(*address);
  }
  if (addresses.empty() && is_localhost(name)) {
    addresses.push_back(*Address::from_literal("127.0.0.1", port));
    addresses.push_back(*Address::from_literal("::1", port));
  }
  if (addresses.empty())
    co_return Error(ErrorKind::connect_error, Phase::resolve,
                    "no address is known for the host '" + name + "'");
  co_return addresses;
}

void HostsFileResolver::refresh() {
  std::int64_t modified = modification_time(path_);
  if (modified == modified_nanoseconds_) return;
  modified_nanoseconds_ = modified;
  entries_.clear();
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address;
    words >> address;
    for (std::string name; words >> name;) entries_.emplace_back(lower_case(std::move(name)), address);
  }
}

}  // namespace sluice::net
