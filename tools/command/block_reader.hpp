// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <sluice/shard.hpp>
#include <sluice/task.hpp>

namespace sluice::command {

/// Reads a file on a thread of its own, since reading may block, and hands it to one task of a shard, block
/// by block. It reads no further ahead than one block.
class BlockReader {
 public:
  /// "-" is standard input. Throws Failure when there is no such file.
  BlockReader(Shard& shard, const std::string& path);
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;
  ~BlockReader();

  /// The next bytes; nothing at the end of the file or when it cannot be read. On the shard.
  Task<std::optional<std::string>> next();
  /// Throws Failure if the end that next() reported was a failure to read.
  void check() const;

 private:
  struct Handover;

  void live();
  bool wait_for_input() const;
  bool hand_over(std::string block);

  std::string path_;
  int fd_;
  int stop_;  // an eventfd: readable when the thread is to end
  std::shared_ptr<Handover> handover_;
  std::thread thread_;
};

}  // namespace sluice::command
