// SPDX-License-Identifier: MIT
#include "engine/net/file_transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

namespace sluice::net {
namespace {

// At most so much from the page cache before other tasks have their turn: about a tenth of a millisecond.
constexpr std::size_t kCachedBytes = 512 * 1024;
// Stays in the processor's cache between reading and sending.
constexpr std::size_t kBlockBytes = 128 * 1024;

/// Keeps SIGPIPE from this thread: sendfile(2) raises it when the peer has gone, and has no MSG_NOSIGNAL.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &previous_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

  /// Takes back the one that was raised meanwhile.
  void swallow() {
    timespec none{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t pipe_;
  sigset_t previous_;
  bool was_pending_;
};

/// sendfile(2) without SIGPIPE; bytes, or -errno.
ssize_t send_from_page_cache(int socket, int file, std::uint64_t offset, std::size_t size) {
  NoSigpipe guard;
  auto from = static_cast<off_t>(offset);
  ssize_t count = ::sendfile(socket, file, &from, size);
  if (count >= 0) return count;
  int error = errno;
  if (error == EPIPE) guard.swallow();
  return -error;
}

bool is_cached(int file, std::uint64_t offset) {
  char byte;
  iovec where{&byte, 1};
  return ::preadv2(file, &where, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
}

}  // namespace

FileTransfer::Step FileTransfer::choose(int socket, std::uint64_t& sent) {
  if (!pending_.empty()) return Step::send;
  if (unread_ == 0) return Step::done;
  if (ended_) return Step::ended;
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(unread_, kCachedBytes));
  if (!sendfile_works_ || !in_page_cache(size)) return Step::read;
  ssize_t count = send_from_page_cache(socket, file_.number(), offset(), size);
  if (count > 0) {
    unread_ -= static_cast<std::uint64_t>(count);
    sent += static_cast<std::uint64_t>(count);
    return unread_ == 0 ? Step::done : Step::await;
  }
  if (count == -EAGAIN || count == -EINTR) return Step::await;
  // Shortened, refused by this file system, or a broken socket: the other way finds out which.
  sendfile_works_ = false;
  return Step::read;
}

/// Files come into the page cache in order, so where both ends of a range are, the middle is. If it is not,
/// the shard waits for the disk once.
bool FileTransfer::in_page_cache(std::size_t size) const {
  return is_cached(file_.number(), offset()) && is_cached(file_.number(), offset() + size - 1);
}

std::span<char> FileTransfer::block() {
  if (block_ == nullptr) block_ = std::make_unique_for_overwrite<char[]>(kBlockBytes);
  return {block_.get(), static_cast<std::size_t>(std::min<std::uint64_t>(unread_, kBlockBytes))};
}

void FileTransfer::loaded(std::size_t count) noexcept {
  ended_ = count == 0;
  unread_ -= count;
  pending_ = {block_.get(), count};
}

}  // namespace sluice::net
