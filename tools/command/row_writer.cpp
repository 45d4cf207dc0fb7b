// SPDX-License-Identifier: MIT
#include "tools/command/row_writer.hpp"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include <sluice/detail/executor.hpp>

#include "tools/command/failure.hpp"
#include "tools/command/output.hpp"

namespace sluice::command {
namespace {

constexpr std::size_t kRoomBytes = 4 * 1024 * 1024;

}  // namespace

/// What thread and tasks share. Functions posted to the shard hold it too: they may outlive the writer.
struct RowWriter::Handover {
  explicit Handover(Shard& its_shard) : shard(&its_shard) {}

  Shard* shard;
  std::mutex mutex;
  std::condition_variable changed;
  std::string rows;  // that are not being written yet
  bool ended = false;
  std::optional<Failure> failure;
  detail::WaitPoint room;  // the shard's only, as the next
  detail::WaitPoint failed;
};

RowWriter::RowWriter(Shard& shard)
    : handover_(std::make_shared<Handover>(shard)), thread_([this] { live(); }) {}

RowWriter::~RowWriter() {
  end();
}

void RowWriter::put(std::string_view row) {
  std::lock_guard lock(handover_->mutex);
  if (handover_->failure) return;
  handover_->rows += row;
  handover_->changed.notify_one();
}

Task<void> RowWriter::room() {
  for (;;) {
    {
      std::lock_guard lock(handover_->mutex);
      if (handover_->rows.size() < kRoomBytes) co_return;
    }
    co_await handover_->room.wait();
  }
}

Task<void> RowWriter::failure() {
  for (;;) {
    {
      std::lock_guard lock(handover_->mutex);
      if (handover_->failure) throw *handover_->failure;
    }
    co_await handover_->failed.wait();
  }
}

void RowWriter::finish() {
  end();
  if (handover_->failure) throw *handover_->failure;
}

void RowWriter::end() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(handover_->mutex);
    handover_->ended = true;
  }
  handover_->changed.notify_one();
  thread_.join();
}

// ---- the thread

void RowWriter::live() {
  Handover& handover = *handover_;
  Output output;
  std::string rows;
  for (std::unique_lock lock(handover.mutex);;) {
    handover.changed.wait(lock, [&] { return handover.ended || !handover.rows.empty(); });
    if (handover.rows.empty()) return;
    rows.swap(handover.rows);
    lock.unlock();
    std::optional<Failure> failure;
    try {
      output.write(rows);
    } catch (const Failure& reason) {
      failure = reason;
    }
    rows.clear();
    lock.lock();
    if (failure) {
      handover.failure = failure;
      handover.rows.clear();
    }
    handover.shard->post([keeper = handover_] {
      keeper->room.notify();
      std::lock_guard guard(keeper->mutex);
      if (keeper->failure) keeper->failed.notify();
    });
    if (failure) return;
  }
}

}  // namespace sluice::command
