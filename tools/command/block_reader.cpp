// SPDX-License-Identifier: MIT
#include "tools/command/block_reader.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sluice/detail/executor.hpp>

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

}  // namespace

/// What thread and task share. Functions posted to the shard hold it too: they may outlive the reader.
struct BlockReader::Handover {
  explicit Handover(Shard& its_shard) : shard(&its_shard) {}

  Shard* shard;
  std::mutex mutex;
  std::condition_variable taken;
  std::optional<std::string> block;
  bool ended = false;
  bool stopped = false;
  int error = 0;
  detail::WaitPoint point;  // the shard's only
};

BlockReader::BlockReader(Shard& shard, const std::string& path)
    : path_(path),
      fd_(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      handover_(std::make_shared<Handover>(shard)) {
  if (fd_ < 0) throw Failure(kReadInput, "cannot read '" + path + "': " + std::strerror(errno));
  thread_ = std::thread([this] { live(); });
}

BlockReader::~BlockReader() {
  ::eventfd_write(stop_, 1);
  {
    std::lock_guard lock(handover_->mutex);
    handover_->stopped = true;
  }
  handover_->taken.notify_one();
  thread_.join();
  ::close(fd_);
  ::close(stop_);
}

Task<std::optional<std::string>> BlockReader::next() {
  Handover& handover = *handover_;
  for (;;) {
    {
      std::lock_guard lock(handover.mutex);
      if (handover.block || handover.ended) {
        handover.taken.notify_one();
        co_return std::exchange(handover.block, std::nullopt);
      }
    }
    co_await handover.point.wait();
  }
}

void BlockReader::check() const {
  std::lock_guard lock(handover_->mutex);
  if (handover_->error != 0)
    throw Failure(kReadInput, "cannot read '" + path_ + "': " + std::strerror(handover_->error));
}

// ---- the thread

void BlockReader::live() {
  int error = 0;
  while (wait_for_input()) {
    std::string block(kBlockBytes, '\0');
    ssize_t count = ::read(fd_, block.data(), block.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    block.resize(static_cast<std::size_t>(count));
    if (!hand_over(std::move(block))) return;
  }
  std::lock_guard lock(handover_->mutex);
  handover_->ended = true;
  handover_->error = error;
  handover_->shard->post([handover = handover_] { handover->point.notify(); });
}

/// False when the thread is to end.
bool BlockReader::wait_for_input() const {
  pollfd files[] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
  while (::poll(files, 2, -1) < 0) {
  }
  return files[1].revents == 0;
}

/// Waits until the block before is taken; false when the thread is to end.
bool BlockReader::hand_over(std::string block) {
  std::unique_lock lock(handover_->mutex);
  handover_->taken.wait(lock, [this] { return !handover_->block || handover_->stopped; });
  if (handover_->stopped) return false;
  handover_->block = std::move(block);
  handover_->shard->post([handover = handover_] { handover->point.notify(); });
  return true;
}

}  // namespace sluice::command
