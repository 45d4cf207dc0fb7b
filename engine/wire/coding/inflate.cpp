// SPDX-License-Identifier: MIT
#include "engine/wire/coding/inflate.hpp"

#include <optional>
#include <utility>

namespace sluice::wire {
namespace {

using Status = InflateStream::Status;
using coding_clause::kMalformed;
using coding_clause::kTrailingBytes;

/// Members one after the other (RFC 1952, 2.2), then zeros if any, as tapes and block devices leave them.
class GzipCoding final : public Coding {
 public:
  explicit GzipCoding(std::unique_ptr<InflateStream> stream) : stream_(std::move(stream)) {}

  CodingFault decode(std::span<const char>& input, std::span<char>& output) override {
    while (stage_ == Stage::member || !input.empty()) {
      if (stage_ == Stage::padding) return skip_padding(input);
      if (stage_ != Stage::member) {
        if (CodingFault fault = start_member(input.front())) return fault;
        continue;
      }
      const Status status = stream_->inflate(input, output);
      if (status == Status::failed) return stream_->fault();
      if (status == Status::end) stage_ = Stage::after_member;
      if (output.empty() || input.empty()) break;
    }
    return {};
  }

  bool complete() const override { return stage_ == Stage::after_member || stage_ == Stage::padding; }

 private:
  enum class Stage : std::uint8_t { before_first, member, after_member, padding };

  CodingFault start_member(char first) {
    constexpr char kFirstOfMember = 0x1F;
    const bool any_member = stage_ == Stage::after_member;
    if (any_member && first == 0) {
      stage_ = Stage::padding;
      return {};
    }
    if (first != kFirstOfMember) return {any_member ? kTrailingBytes : kMalformed, "no gzip header"};
    stream_->start(Wrapper::gzip);
    stage_ = Stage::member;
    return {};
  }

  static CodingFault skip_padding(std::span<const char>& input) {
    while (!input.empty() && input.front() == 0) input = input.subspan(1);
    return input.empty() ? CodingFault{} : CodingFault{kTrailingBytes};
  }

  std::unique_ptr<InflateStream> stream_;
  Stage stage_ = Stage::before_first;
};

/// The zlib format, as RFC 9110, 8.4.1.2 has it, or raw deflate, as some servers send it.
class DeflateCoding final : public Coding {
 public:
  explicit DeflateCoding(std::unique_ptr<InflateStream> stream) : stream_(std::move(stream)) {}

  CodingFault decode(std::span<const char>& input, std::span<char>& output) override {
    if (stage_ == Stage::header) {
      if (CodingFault fault = start(input, output)) return fault;
    }
    if (stage_ == Stage::data) {
      if (CodingFault fault = inflate(input, output)) return fault;
    }
    if (stage_ == Stage::end && !input.empty()) return {kTrailingBytes};
    return {};
  }

  bool complete() const override { return stage_ == Stage::end; }

 private:
  enum class Stage : std::uint8_t { header, data, end };

  // The first two bytes are a zlib header or they are not: its method is 8, its window at most 32 KiB, and
  // the two are a multiple of 31. As raw deflate they would begin a stored block with padding that no encoder
  // writes.
  static bool is_zlib_header(char first, char second) {
    const unsigned method_and_window = static_cast<unsigned char>(first);
    const unsigned flags = static_cast<unsigned char>(second);
    return (method_and_window & 0x0F) == 8 && method_and_window >> 4 <= 7 &&
           (method_and_window << 8 | flags) % 31 == 0;
  }

  CodingFault start(std::span<const char>& input, std::span<char>& output) {
    if (!first_ && !input.empty()) {
      first_ = input.front();
      input = input.subspan(1);
    }
    if (input.empty()) return {};
    stream_->start(is_zlib_header(*first_, input.front()) ? Wrapper::zlib : Wrapper::raw);
    stage_ = Stage::data;
    std::span<const char> first(&*first_, 1);
    return inflate(first, output);  // too short to yield output, so it is used up
  }

  CodingFault inflate(std::span<const char>& input, std::span<char>& output) {
    do {
      const Status status = stream_->inflate(input, output);
      if (status == Status::failed) return stream_->fault();
      if (status == Status::end) {
        stage_ = Stage::end;
        break;
      }
    } while (!input.empty() && !output.empty());
    return {};
  }

  std::unique_ptr<InflateStream> stream_;
  Stage stage_ = Stage::header;
  std::optional<char> first_;
};

}  // namespace

std::unique_ptr<Coding> make_gzip_coding(std::unique_ptr<InflateStream> stream) {
  return std::make_unique<GzipCoding>(std::move(stream));
}

std::unique_ptr<Coding> make_deflate_coding(std::unique_ptr<InflateStream> stream) {
  return std::make_unique<DeflateCoding>(std::move(stream));
}

}  // namespace sluice::wire
