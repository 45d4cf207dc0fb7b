// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include <zstd.h>
#include <zstd_errors.h>

#include "engine/wire/coding/coding.hpp"

namespace sluice::wire {
namespace {

struct Destroy {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Context = std::unique_ptr<ZSTD_DCtx, Destroy>;

// Making a context takes four times as long as decoding a kilobyte with it (9 and 2 us), so each thread keeps
// one, unless it has grown by a large window.
constexpr std::size_t kMaxSpareBytes = 512 * 1024;
thread_local Context spare_context;

Context take_context() {
  Context context = std::move(spare_context);
  if (!context) context.reset(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  return context;
}

void give_back(Context context) {
  if (spare_context || ZSTD_sizeof_DCtx(context.get()) > kMaxSpareBytes) return;
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  spare_context = std::move(context);
}

int window_log(std::uint64_t bytes) {
  const ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
  return std::clamp(static_cast<int>(std::bit_width(bytes)) - 1, bounds.lowerBound, bounds.upperBound);
}

/// Frames one after the other, skippable ones among them (RFC 8878, 3.1).
class ZstdCoding final : public Coding {
 public:
  explicit ZstdCoding(std::uint64_t max_window_bytes) : context_(take_context()) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log(max_window_bytes));
  }

  ~ZstdCoding() override { give_back(std::move(context_)); }

  CodingFault decode(std::span<const char>& input, std::span<char>& output) override {
    do {
      if (!in_frame_) {
        if (input.empty()) break;
        if (CodingFault fault = start_frame(input, output)) return fault;
      }
      if (CodingFault fault = decompress(input, output)) return fault;
    } while (!input.empty() && !output.empty());
    return {};
  }

  bool complete() const override { return !in_frame_; }

 private:
  // The first byte tells frames of the standard from those of the versions before it, which the library may
  // read too. And it goes in alone: a frame that stands whole in the input would be decoded without a look at
  // its window, and the verdict must not depend on how the content is cut.
  CodingFault start_frame(std::span<const char>& input, std::span<char>& output) {
    constexpr unsigned kFrame = 0x28;
    constexpr unsigned kSkippableFrame = 0x50;  // to 0x5F
    const unsigned first = static_cast<unsigned char>(input.front());
    if (first != kFrame && (first & 0xF0) != kSkippableFrame)
      return {any_frame_ ? coding_clause::kTrailingBytes : coding_clause::kMalformed, "unknown magic number"};
    any_frame_ = true;
    std::span<const char> alone = input.first(1);
    input = input.subspan(1);
    return decompress(alone, output);
  }

  CodingFault decompress(std::span<const char>& input, std::span<char>& output) {
    ZSTD_inBuffer from{input.data(), input.size(), 0};
    ZSTD_outBuffer to{output.data(), output.size(), 0};
    const std::size_t result = ZSTD_decompressStream(context_.get(), &to, &from);
    input = input.subspan(from.pos);
    output = output.subspan(to.pos);
    in_frame_ = result != 0;
    if (ZSTD_isError(result) == 0) return {};
    const char* const name = ZSTD_getErrorName(result);
    switch (ZSTD_getErrorCode(result)) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return {"needs too large a window", name, true};
      case ZSTD_error_memory_allocation:
        return {coding_clause::kOutOfMemory, name};
      default:
        return {coding_clause::kMalformed, name};
    }
  }

  Context context_;
  bool in_frame_ = false;
  bool any_frame_ = false;
};

}  // namespace

std::unique_ptr<Coding> make_zstd_coding(std::uint64_t max_window_bytes) {
  return std::make_unique<ZstdCoding>(max_window_bytes);
}

}  // namespace sluice::wire
