// SPDX-License-Identifier: MIT
#include "tools/command/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

mode_t mode_of_new_files() {
  mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

Output::Output(const std::string& path) : path_(path) {
  std::error_code error;
  std::filesystem::path target = std::filesystem::canonical(path, error);  // through links: they stay
  if (!error) path_ = target;
  if (error || std::filesystem::is_regular_file(target)) {
    open_temporary();
  } else {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail(errno);
  }
}

Output::Output(const std::string& path, const std::string& temporary, std::uint64_t offset)
    : path_(path), temporary_(temporary), keep_temporary_(true) {
  fd_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd_ < 0) fail(errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
    throw Failure(kWriteOutput, "'" + temporary + "' is being written by another process");
  struct stat now {};
  if (::fstat(fd_, &now) != 0) fail(errno);
  if (static_cast<std::uint64_t>(now.st_size) < offset)
    throw Failure(kWriteOutput, "'" + temporary + "' was changed by another process");
  if (::ftruncate(fd_, static_cast<off_t>(offset)) != 0 || ::lseek(fd_, 0, SEEK_END) < 0) fail(errno);
}

void Output::open_temporary() {
  std::string name = path_ + ".XXXXXX";
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) fail(errno);
  temporary_ = name;
  ::fchmod(fd_, mode_of_new_files());
}

Output::~Output() {
  if (fd_ > 1) ::close(fd_);
  if (!temporary_.empty() && !keep_temporary_) ::unlink(temporary_.c_str());
}

void Output::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      wait_until_writable();
      continue;
    }
    if (count < 0) fail(errno);
    bytes_ += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Whoever shares standard output with us may have set it to non-blocking.
void Output::wait_until_writable() const {
  pollfd file{fd_, POLLOUT, 0};
  (void)::poll(&file, 1, -1);
}

void Output::finish() {
  if (temporary_.empty()) return;
  if (::close(std::exchange(fd_, -1)) != 0) fail(errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void Output::fail(int error) const {
  std::string reason = error == EPIPE ? "its reader is gone" : std::strerror(error);
  throw Failure(kWriteOutput, "cannot write to " + path_ + ": " + reason);
}

}  // namespace sluice::command
