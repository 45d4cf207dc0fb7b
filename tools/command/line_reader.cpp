// SPDX-License-Identifier: MIT
#include "tools/command/line_reader.hpp"

#include <cerrno>
#include <condition_variable>
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
struct LineReader::Handover {
  explicit Handover(Shard& its_shard) : shard(&its_shard) {}

  Shard* shard;
  std::mutex mutex;
  std::condition_variable taken;
  std::optional<std::vector<Line>> lines;
  bool ended = false;
  bool stopped = false;
  int error = 0;
  detail::WaitPoint point;  // the shard's only
};

LineReader::LineReader(Shard& shard, const std::string& path)
    : path_(path),
      fd_(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      handover_(std::make_shared<Handover>(shard)) {
  if (fd_ < 0) throw Failure(kReadInput, "cannot read '" + path + "': " + std::strerror(errno));
  thread_ = std::thread([this] { live(); });
}

LineReader::~LineReader() {
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

Task<std::optional<std::vector<Line>>> LineReader::next() {
  Handover& handover = *handover_;
  for (;;) {
    {
      std::lock_guard lock(handover.mutex);
      if (handover.lines || handover.ended) {
        handover.taken.notify_one();
        co_return std::exchange(handover.lines, std::nullopt);
      }
    }
    co_await handover.point.wait();
  }
}

void LineReader::check() const {
  std::lock_guard lock(handover_->mutex);
  if (handover_->error != 0)
    throw Failure(kReadInput, "cannot read '" + path_ + "': " + std::strerror(handover_->error));
}

// ---- the thread

void LineReader::live() {
  std::string block(kBlockBytes, '\0');
  int error = 0;
  while (wait_for_input()) {
    ssize_t count = ::read(fd_, block.data(), block.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    take(std::string_view(block).substr(0, static_cast<std::size_t>(count)));
    if (!lines_.empty() && !hand_over()) return;
  }
  if (!line_.text.empty()) end_line();
  if (!lines_.empty() && !hand_over()) return;
  std::lock_guard lock(handover_->mutex);
  handover_->ended = true;
  handover_->error = error;
  handover_->shard->post([handover = handover_] { handover->point.notify(); });
}

/// False when the thread is to end.
bool LineReader::wait_for_input() const {
  pollfd files[] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
  while (::poll(files, 2, -1) < 0) {
  }
  return files[1].revents == 0;
}

void LineReader::take(std::string_view block) {
  while (!block.empty()) {
    std::size_t end = block.find('\n');
    std::string_view part = block.substr(0, end);
    std::size_t room = kMaxLineBytes - line_.text.size();
    line_.text.append(part.substr(0, room));
    if (part.size() > room) line_.too_long = true;
    if (end == std::string_view::npos) return;
    end_line();
    block.remove_prefix(end + 1);
  }
}

void LineReader::end_line() {
  std::uint64_t number = line_.number + 1;
  line_.number = number;
  lines_.push_back(std::exchange(line_, Line{number, {}, false}));
}

/// Waits until the lines before are taken; false when the thread is to end.
bool LineReader::hand_over() {
  std::unique_lock lock(handover_->mutex);
  handover_->taken.wait(lock, [this] { return !handover_->lines || handover_->stopped; });
  if (handover_->stopped) return false;
  handover_->lines = std::exchange(lines_, {});
  handover_->shard->post([handover = handover_] { handover->point.notify(); });
  return true;
}

}  // namespace sluice::command
