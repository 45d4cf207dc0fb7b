// SPDX-License-Identifier: MIT
#include <isa-l/igzip_lib.h>

#include "engine/wire/coding/inflate.hpp"

namespace sluice::wire {
namespace {

const char* code_name(int result) {
  switch (result) {
    case ISAL_NEED_DICT:
      return "ISAL_NEED_DICT";
    case ISAL_INVALID_BLOCK:
      return "ISAL_INVALID_BLOCK";
    case ISAL_INVALID_SYMBOL:
      return "ISAL_INVALID_SYMBOL";
    case ISAL_INVALID_LOOKBACK:
      return "ISAL_INVALID_LOOKBACK";
    case ISAL_INVALID_WRAPPER:
      return "ISAL_INVALID_WRAPPER";
    case ISAL_UNSUPPORTED_METHOD:
      return "ISAL_UNSUPPORTED_METHOD";
    case ISAL_INCORRECT_CHECKSUM:
      return "ISAL_INCORRECT_CHECKSUM";
    default:
      return "";
  }
}

/// The state is 86 KiB, most of it tables and history that ISA-L writes before it reads: it is not zeroed
/// here.
///
/// Headers are read by calls of their own: isal_inflate() forgets which optional fields of a gzip header are
/// still to come when the header is cut.
class IsalStream final : public InflateStream {
 public:
  IsalStream() { isal_inflate_init(&state_); }

  void start(Wrapper wrapper) override {
    isal_inflate_reset(&state_);
    wrapper_ = wrapper;
    in_header_ = wrapper != Wrapper::raw;
    isal_gzip_header_init(&gzip_header_);
    zlib_header_ = {};
    state_.crc_flag = wrapper == Wrapper::gzip   ? ISAL_GZIP_NO_HDR_VER
                      : wrapper == Wrapper::zlib ? ISAL_ZLIB_NO_HDR_VER
                                                 : ISAL_DEFLATE;
  }

  Status inflate(std::span<const char>& input, std::span<char>& output) override {
    const std::uint32_t input_bytes = step_size(input.size());
    const std::uint32_t output_bytes = step_size(output.size());
    const char* const begin = input.data();
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(begin));
    state_.avail_in = input_bytes;
    state_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
    state_.avail_out = output_bytes;
    int result = in_header_ ? read_header() : ISAL_DECOMP_OK;
    if (result == ISAL_DECOMP_OK) result = isal_inflate(&state_);
    // ISA-L reads up to eight bytes ahead. Behind gzip data they are the trailer; behind the other wrappers
    // they are not part of the stream. Newer versions hand them back, even those of an earlier input.
    const bool read_beyond =
        state_.read_in_length >= 8 || reinterpret_cast<const char*>(state_.next_in) < begin;
    const bool ended = state_.block_state == ISAL_BLOCK_FINISH;
    if (!(ended && read_beyond)) input = input.subspan(input_bytes - state_.avail_in);
    if (result == ISAL_END_INPUT) return Status::more;
    if (result != ISAL_DECOMP_OK) return fail(coding_clause::kMalformed, code_name(result));
    // Not before: at a distance too far back ISA-L counts bytes as written that it has not written.
    output = output.subspan(output_bytes - state_.avail_out);
    if (!ended) return Status::more;
    return read_beyond ? fail(coding_clause::kTrailingBytes) : Status::end;
  }

 private:
  int read_header() {
    const int result = wrapper_ == Wrapper::gzip ? isal_read_gzip_header(&state_, &gzip_header_)
                                                 : isal_read_zlib_header(&state_, &zlib_header_);
    if (result != ISAL_DECOMP_OK) return result;
    in_header_ = false;
    return zlib_header_.dict_flag != 0 ? ISAL_NEED_DICT : ISAL_DECOMP_OK;
  }

  Wrapper wrapper_ = Wrapper::raw;
  bool in_header_ = false;
  isal_gzip_header gzip_header_;
  isal_zlib_header zlib_header_;
  inflate_state state_;
};

}  // namespace

std::unique_ptr<InflateStream> make_isal_stream() {
  return std::make_unique<IsalStream>();
}

}  // namespace sluice::wire
