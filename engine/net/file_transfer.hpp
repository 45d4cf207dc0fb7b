// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <sluice/detail/memory.hpp>

#include "engine/net/file.hpp"

namespace sluice::net {

/// A file on its way into a stream socket, by the way that costs least at each place: what stands in the page
/// cache goes from there (sendfile(2)), what does not is read into a block and sent from it, by the ring. The
/// owner carries the steps out; see docs/performance.md for why it is so.
class FileTransfer : public detail::Recycled {
 public:
  /// `from_page_cache`: the socket carries the file's bytes as they are.
  FileTransfer(File file, bool from_page_cache) noexcept
      : file_(std::move(file)), unread_(file_.size()), sendfile_works_(from_page_cache) {}

  enum class Step : std::uint8_t {
    done,   ///< all bytes have been sent
    await,  ///< wait until the socket can be written to
    read,   ///< read into block() from offset(), then call loaded()
    send,   ///< send pending(), then call sent()
    ended,  ///< the file has become shorter
  };

  /// Does what can be done without waiting; adds the bytes that it sent to `sent`. The socket must have
  /// O_NONBLOCK.
  Step next(int socket, std::uint64_t& sent) { return step_ = choose(socket, sent); }
  /// What next() said last.
  Step step() const noexcept { return step_; }

  int file() const noexcept { return file_.number(); }
  std::uint64_t offset() const noexcept { return file_.size() - unread_; }
  /// Where to read, at most as much as is missing.
  std::span<char> block();
  /// So many bytes stand in the block; none means that the file has ended.
  void loaded(std::size_t count) noexcept;
  std::span<const char> pending() const noexcept { return pending_; }
  void sent(std::size_t count) noexcept { pending_ = pending_.subspan(count); }

 private:
  Step choose(int socket, std::uint64_t& sent);
  bool in_page_cache(std::size_t size) const;

  File file_;
  std::uint64_t unread_;  // neither sent nor in the block
  std::unique_ptr<char[]> block_;
  std::span<const char> pending_;  // of the block
  Step step_ = Step::done;
  bool sendfile_works_;
  bool ended_ = false;
};

}  // namespace sluice::net
