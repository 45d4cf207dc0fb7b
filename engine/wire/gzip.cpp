// SPDX-License-Identifier: MIT
#include "engine/wire/gzip.hpp"

#include <cstddef>

#include <zlib.h>

#include "engine/base/check.hpp"

namespace sluice::wire {

std::string gzip(std::string_view bytes) {
  constexpr int kGzipFormat = 16;
  constexpr int kUsualMemory = 8;
  z_stream stream{};
  int status = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzipFormat, kUsualMemory,
                            Z_DEFAULT_STRATEGY);
  base::check(status == Z_OK, "zlib has the memory that it needs");
  std::string coded(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  status = deflate(&stream, Z_FINISH);
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  base::check(status == Z_STREAM_END, "deflateBound() is room enough");
  return coded;
}

}  // namespace sluice::wire
