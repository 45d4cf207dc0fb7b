// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstring>

#include "engine/base/compiler.hpp"

#if SLUICE_SSE2
#include <emmintrin.h>
#endif

/// Looking at sixteen bytes at once, in registers that every x86-64 has. Other processors get the same
/// vectors from the compiler and only gather the mask byte by byte.
namespace sluice::wire {

using Bytes16 = unsigned char __attribute__((vector_size(16)));

inline Bytes16 load16(const char* at) {
  Bytes16 bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

/// 0xFF where the byte is `wanted`, 0 elsewhere.
inline Bytes16 equal_to(Bytes16 bytes, unsigned char wanted) {
  return reinterpret_cast<Bytes16>(bytes == wanted);
}

/// 0xFF where low <= byte <= high, 0 elsewhere.
inline Bytes16 within(Bytes16 bytes, unsigned char low, unsigned char high) {
  return reinterpret_cast<Bytes16>((bytes - low) <= static_cast<unsigned char>(high - low));
}

/// The top bit of each byte; that of the first byte is the lowest.
inline unsigned top_bits(Bytes16 bytes) {
#if SLUICE_SSE2
  return static_cast<unsigned>(_mm_movemask_epi8(reinterpret_cast<__m128i>(bytes)));
#else
  unsigned bits = 0;
  for (int i = 0; i < 16; ++i) bits |= static_cast<unsigned>(bytes[i] >> 7) << i;
  return bits;
#endif
}

/// The first position in [at, end) whose byte is not ASCII.
inline const char* skip_ascii(const char* at, const char* end) {
  for (; end - at >= 64; at += 64) {
    if (top_bits(load16(at) | load16(at + 16) | load16(at + 32) | load16(at + 48)) != 0) break;
  }
  for (; end - at >= 16; at += 16) {
    if (unsigned bits = top_bits(load16(at))) return at + std::countr_zero(bits);
  }
  while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return at;
}

}  // namespace sluice::wire
