// SPDX-License-Identifier: MIT
// The least CPU that a client can spend on the decoded bytes of a gzip body: the inflater that sluice was
// built with, called in one loop on the same bytes, in pieces as large as receive buffers, its output thrown
// away.
//
//   inflate FILE [-d 3]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#if SLUICE_HAS_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "bench/common/command_line.hpp"
#include "bench/common/meter.hpp"

namespace {

constexpr std::size_t kPieceBytes = 128 << 10;
constexpr std::size_t kOutputBytes = 64 << 10;

[[noreturn]] void refuse() {
  throw std::runtime_error("the file is no gzip member");
}

#if SLUICE_HAS_ISAL
class Inflater {
 public:
  Inflater() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

  // Gives how many bytes came out.
  std::uint64_t operator()(std::span<unsigned char> piece, std::span<unsigned char> output) {
    std::uint64_t bytes = 0;
    state_->next_in = piece.data();
    state_->avail_in = static_cast<std::uint32_t>(piece.size());
    do {
      state_->next_out = output.data();
      state_->avail_out = static_cast<std::uint32_t>(output.size());
      if (isal_inflate(state_.get()) != ISAL_DECOMP_OK) refuse();
      bytes += output.size() - state_->avail_out;
    } while (state_->avail_out == 0);
    return bytes;
  }

 private:
  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};
#else
class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Gives how many bytes came out.
  std::uint64_t operator()(std::span<unsigned char> piece, std::span<unsigned char> output) {
    std::uint64_t bytes = 0;
    stream_.next_in = piece.data();
    stream_.avail_in = static_cast<uInt>(piece.size());
    do {
      stream_.next_out = output.data();
      stream_.avail_out = static_cast<uInt>(output.size());
      int result = inflate(&stream_, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) refuse();
      bytes += output.size() - stream_.avail_out;
    } while (stream_.avail_out == 0);
    return bytes;
  }

 private:
  z_stream stream_{};
};
#endif

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::uint64_t inflate_whole(std::span<unsigned char> body) {
  Inflater inflater;
  unsigned char output[kOutputBytes];
  std::uint64_t bytes = 0;
  while (!body.empty()) {
    auto piece = body.first(std::min(kPieceBytes, body.size()));
    bytes += inflater(piece, output);
    body = body.subspan(piece.size());
  }
  return bytes;
}

void measure(bench::CommandLine& line) {
  double seconds = bench::take_seconds(line);
  std::string body = content_of(std::string(line.positional("FILE")));
  line.finish();
  std::span<unsigned char> bytes(reinterpret_cast<unsigned char*>(body.data()), body.size());
  bench::Counters done;
  bench::Meter meter(done);
  for (auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
       std::chrono::steady_clock::now() < end; ++done.requests)
    done.bytes += inflate_whole(bytes);
  meter.report(done);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::guarded_main(argc, argv, measure);
}
