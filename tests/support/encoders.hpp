// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

/// The libraries' own encoders, to make coded bodies with.
namespace sluice::testing {

/// `window_bits` as deflateInit2() takes them: 31 gzip, 15 the zlib format, -15 raw deflate.
inline std::string deflate_with(std::string_view content, int window_bits, int level, int strategy,
                                std::string_view name) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, strategy) != Z_OK) std::abort();
  std::string name_text(name);
  gz_header header{};
  if (!name.empty()) {
    header.name = header.comment = header.extra = reinterpret_cast<Bytef*>(name_text.data());
    header.extra_len = static_cast<uInt>(name_text.size());
    header.hcrc = 1;
    deflateSetHeader(&stream, &header);
  }
  std::string coded(deflateBound(&stream, content.size()) + 3 * name.size() + 64, '\0');
  std::string copy(content);
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  return coded;
}

inline std::string gzip(std::string_view content, int level = 6, int strategy = Z_DEFAULT_STRATEGY) {
  return deflate_with(content, 31, level, strategy, {});
}

/// With extra data, file name, comment and checksum in the header.
inline std::string gzip_with_all_fields(std::string_view content) {
  return deflate_with(content, 31, 6, Z_DEFAULT_STRATEGY, "a name");
}

inline std::string zlib(std::string_view content, int level = 6, int strategy = Z_DEFAULT_STRATEGY) {
  return deflate_with(content, 15, level, strategy, {});
}

inline std::string raw_deflate(std::string_view content, int level = 6, int strategy = Z_DEFAULT_STRATEGY) {
  return deflate_with(content, -15, level, strategy, {});
}

inline std::string brotli(std::string_view content, int quality = 5, int window_bits = 18) {
  std::size_t size = BrotliEncoderMaxCompressedSize(content.size()) + 64;
  std::string coded(size, '\0');
  if (!BrotliEncoderCompress(quality, window_bits, BROTLI_MODE_GENERIC, content.size(),
                             reinterpret_cast<const std::uint8_t*>(content.data()), &size,
                             reinterpret_cast<std::uint8_t*>(coded.data())))
    std::abort();
  coded.resize(size);
  return coded;
}

/// One frame with a checksum. `window_log` 0 leaves the window to the library.
inline std::string zstd(std::string_view content, int level = 3, int window_log = 0,
                        bool with_content_size = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_content_size ? 1 : 0);
  std::string coded(ZSTD_compressBound(content.size()), '\0');
  ZSTD_inBuffer from{content.data(), content.size(), 0};
  ZSTD_outBuffer to{coded.data(), coded.size(), 0};
  // The first call cannot know the content's size, so the window is what was asked for.
  if (!with_content_size) ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue);
  if (ZSTD_compressStream2(context, &to, &from, ZSTD_e_end) != 0) std::abort();
  coded.resize(to.pos);
  ZSTD_freeCCtx(context);
  return coded;
}

}  // namespace sluice::testing
