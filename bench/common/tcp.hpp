// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

namespace bench {

// A connected socket without Nagle's delay; throws std::runtime_error that names the target.
int connect_tcp(const std::string& host, const std::string& port);

// Sends `request` and returns the size of its whole reply, learned from Content-Length in the reply's head.
std::size_t learn_reply_size(int fd, const std::string& request);

}  // namespace bench
