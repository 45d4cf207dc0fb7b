// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/peer.hpp"
#include "tests/support/shard_test.hpp"

/// Servers that others wrote, as programs.
namespace sluice::testing {

inline std::string program_path(std::initializer_list<const char*> candidates) {
  for (const char* candidate : candidates) {
    if (access(candidate, X_OK) == 0) return candidate;
  }
  return "";
}

/// A server program on a free port, in a folder of its own; both go with the object.
class Server {
 public:
  Server() : folder_(make_folder()) {}
  virtual ~Server() {
    stop();
    std::filesystem::remove_all(folder_);
  }

  /// Ports are chosen by asking for a free one; somebody may take it before the server does, so try again
  /// then.
  bool start() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      port_ = ClosedPort().address().port();
      launch();
      if (eventually([&] { return answers() || ended(); }) && !ended()) return true;
      stop();
    }
    return false;
  }
  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }
  void write_file(const std::string& name, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
  }

 protected:
  virtual std::vector<std::string> command() = 0;

  std::string folder_;
  std::uint16_t port_ = 0;

 private:
  static std::string make_folder() {
    std::string path = "/tmp/sluice-server-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
    chmod(path.c_str(), 0755);  // a server may change its user
    return path;
  }
  void launch() {
    std::vector<std::string> words = command();
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = ::open((folder_ + "/log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644);
    dup2(log, 1);
    dup2(log, 2);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  bool ended() {
    if (child_ > 0 && waitpid(child_, nullptr, WNOHANG) == child_) child_ = -1;
    return child_ < 0;
  }
  bool answers() const {
    net::Address address = *net::Address::from_literal("127.0.0.1", port_);
    net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.number(), &address.raw(), address.size()) == 0;
  }
  void stop() {
    if (child_ <= 0) return;
    kill(child_, SIGTERM);
    waitpid(child_, nullptr, 0);
    child_ = -1;
  }

  pid_t child_ = -1;
};

}  // namespace sluice::testing
