// SPDX-License-Identifier: MIT
#define ZLIB_CONST  // next_in is a pointer to const
#include <new>

#include <zlib.h>

#include "engine/wire/coding/inflate.hpp"
#include "engine/wire/coding/library_memory.hpp"

namespace sluice::wire {
namespace {

void* allocate(void*, unsigned items, unsigned bytes) {
  return library_allocate(std::size_t{items} * bytes);
}

void release(void*, void* memory) {
  library_free(memory);
}

int window_bits(Wrapper wrapper) {
  switch (wrapper) {
    case Wrapper::raw:
      return -MAX_WBITS;
    case Wrapper::zlib:
      return MAX_WBITS;
    case Wrapper::gzip:
      break;
  }
  return MAX_WBITS + 16;
}

class ZlibStream final : public InflateStream {
 public:
  ZlibStream() {
    stream_.zalloc = allocate;
    stream_.zfree = release;
    if (inflateInit2(&stream_, MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibStream() override { inflateEnd(&stream_); }

  void start(Wrapper wrapper) override { inflateReset2(&stream_, window_bits(wrapper)); }

  Status inflate(std::span<const char>& input, std::span<char>& output) override {
    const std::uint32_t input_bytes = step_size(input.size());
    const std::uint32_t output_bytes = step_size(output.size());
    stream_.next_in = reinterpret_cast<const Bytef*>(input.data());
    stream_.avail_in = input_bytes;
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = output_bytes;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    input = input.subspan(input_bytes - stream_.avail_in);
    output = output.subspan(output_bytes - stream_.avail_out);
    switch (result) {
      case Z_OK:
      case Z_BUF_ERROR:
        return Status::more;  // the latter: there was nothing to do
      case Z_STREAM_END:
        return Status::end;
      case Z_MEM_ERROR:
        return fail(coding_clause::kOutOfMemory);
      case Z_NEED_DICT:
        return fail(coding_clause::kMalformed, "need dictionary");
      default:
        return fail(coding_clause::kMalformed, stream_.msg != nullptr ? stream_.msg : "");
    }
  }

 private:
  z_stream stream_{};
};

}  // namespace

std::unique_ptr<InflateStream> make_zlib_stream() {
  return std::make_unique<ZlibStream>();
}

}  // namespace sluice::wire
