// SPDX-License-Identifier: MIT
#include "engine/net/file.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/base/system_error.hpp"

namespace sluice::net {
namespace {

Error refused(int code, const std::string& path) {
  return base::system_error(code, "the file '" + path + "' cannot be sent: " + std::strerror(code));
}

}  // namespace

Result<File> File::open(std::string_view path) {
  std::string name(path);
  if (name.find('\0') != std::string::npos) return refused(ENOENT, name);
  // Without O_NONBLOCK, opening a named pipe would wait for its writer.
  Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return refused(errno, name);
  struct stat status {};
  if (::fstat(fd.number(), &status) != 0) return refused(errno, name);
  if (!S_ISREG(status.st_mode)) return refused(S_ISDIR(status.st_mode) ? EISDIR : ESPIPE, name);
  ::fcntl(fd.number(), F_SETFL, 0);  // a read that must wait for the disk shall wait
  return File(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

}  // namespace sluice::net
