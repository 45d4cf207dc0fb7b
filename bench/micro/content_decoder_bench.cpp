// SPDX-License-Identifier: MIT
#define ZLIB_CONST
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>
#if SLUICE_HAS_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "engine/wire/content_decoder.hpp"

namespace sluice::wire {
namespace {

constexpr std::size_t kContentBytes = 100 * 1000 * 1000;

/// Words with the frequencies of a language: the n-th is about 1/n as frequent as the first.
std::string text_of(std::size_t bytes) {
  std::mt19937 random(1);
  std::vector<std::string> words;
  for (unsigned i = 0; i < 20'000; ++i) {
    std::string word;
    for (unsigned letters = 2 + random() % 9; letters != 0; --letters)
      word += "etaoinshrdlucmfwypvbgkjqxz"[random() % (1 + random() % 26)];
    words.push_back(word + (random() % 20 == 0 ? ".\n" : " "));
  }
  std::string text;
  text.reserve(bytes + 16);
  while (text.size() < bytes) {
    const double rank = std::exp(std::uniform_real_distribution<>(0, std::log(words.size()))(random));
    text += words[std::min<std::size_t>(static_cast<std::size_t>(rank), words.size() - 1)];
  }
  text.resize(bytes);
  return text;
}

std::string gzip(std::string_view content) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string coded(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  return coded;
}

const std::string& long_gzip() {
  static const std::string body = gzip(text_of(kContentBytes));
  return body;
}

/// The libraries called in one loop on the same pieces and outputs: what ContentDecoder is measured by.
struct DirectZlib {
  z_stream stream{};
  DirectZlib() { inflateInit2(&stream, MAX_WBITS + 16); }
  ~DirectZlib() { inflateEnd(&stream); }

  void operator()(std::string_view piece, std::span<char> output) {
    stream.next_in = reinterpret_cast<const Bytef*>(piece.data());
    stream.avail_in = static_cast<uInt>(piece.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(output.data());
      stream.avail_out = static_cast<uInt>(output.size());
      const int result = inflate(&stream, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) std::abort();
    } while (stream.avail_out == 0);
  }
  std::uint64_t decoded_bytes() const { return stream.total_out; }
};

#if SLUICE_HAS_ISAL
struct DirectIsal {
  std::unique_ptr<inflate_state> state{new inflate_state};
  DirectIsal() {
    isal_inflate_init(state.get());
    state->crc_flag = ISAL_GZIP;
  }

  void operator()(std::string_view piece, std::span<char> output) {
    state->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.data()));
    state->avail_in = static_cast<std::uint32_t>(piece.size());
    do {
      state->next_out = reinterpret_cast<std::uint8_t*>(output.data());
      state->avail_out = static_cast<std::uint32_t>(output.size());
      if (isal_inflate(state.get()) != ISAL_DECOMP_OK) std::abort();
    } while (state->avail_out == 0);
  }
  std::uint64_t decoded_bytes() const { return state->total_out; }
};
#endif

template <Inflater inflater>
struct Decoder {
  ContentDecoder decoder{{{"Content-Encoding", "gzip"}}, {}, inflater};

  void operator()(std::string_view piece, std::span<char> output) {
    std::span<const char> input(piece);
    ContentDecoder::Event event;
    do {
      std::span<char> room = output;
      event = decoder.decode(input, room);
    } while (event == ContentDecoder::Event::output_full);
    if (event == ContentDecoder::Event::failed) std::abort();
  }
  std::uint64_t decoded_bytes() const { return decoder.decoded_bytes(); }
};

/// Arguments: KiB of a piece, KiB of the output.
template <class Decode>
void inflate_text(benchmark::State& state) {
  const std::string& body = long_gzip();
  const auto piece_bytes = static_cast<std::size_t>(state.range(0)) * 1024;
  std::vector<char> output(static_cast<std::size_t>(state.range(1)) * 1024);
  for (auto _ : state) {
    Decode decode;
    for (std::size_t at = 0; at < body.size(); at += piece_bytes)
      decode(std::string_view(body).substr(at, piece_bytes), output);
    if (decode.decoded_bytes() != kContentBytes) state.SkipWithError("the content is not complete");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kContentBytes));
}

void pieces_and_outputs(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->Args({16, 64})->Args({64, 64})->Args({128, 64})->Args({128, 256});
}

BENCHMARK_TEMPLATE(inflate_text, DirectZlib)->Apply(pieces_and_outputs);
BENCHMARK_TEMPLATE(inflate_text, Decoder<Inflater::zlib>)->Apply(pieces_and_outputs);
#if SLUICE_HAS_ISAL
BENCHMARK_TEMPLATE(inflate_text, DirectIsal)->Apply(pieces_and_outputs);
BENCHMARK_TEMPLATE(inflate_text, Decoder<Inflater::isal>)->Apply(pieces_and_outputs);
#endif

/// A whole small body, as most responses are: what setting a decoder up costs.
void decode_small(benchmark::State& state, const char* coding, const std::string& body, Inflater inflater) {
  const Headers headers{{"Content-Encoding", coding}};
  std::vector<char> space(4096);
  for (auto _ : state) {
    ContentDecoder decoder(headers, {}, inflater);
    std::span<const char> input(body);
    std::span<char> output(space);
    if (decoder.decode(input, output) != ContentDecoder::Event::need_input ||
        decoder.finish(output) != ContentDecoder::Event::end)
      state.SkipWithError("the body was refused");
  }
}

const std::string& small_content() {
  static const std::string content = text_of(1000);
  return content;
}

void decode_small_gzip_zlib(benchmark::State& state) {
  decode_small(state, "gzip", gzip(small_content()), Inflater::zlib);
}
void decode_small_gzip_preferred(benchmark::State& state) {
  decode_small(state, "gzip", gzip(small_content()), preferred_inflater());
}
void decode_small_br(benchmark::State& state) {
  std::size_t size = 2000;
  std::string body(size, '\0');
  const auto* content = reinterpret_cast<const std::uint8_t*>(small_content().data());
  BrotliEncoderCompress(5, 18, BROTLI_MODE_TEXT, small_content().size(), content, &size,
                        reinterpret_cast<std::uint8_t*>(body.data()));
  body.resize(size);
  decode_small(state, "br", body, preferred_inflater());
}
void decode_small_zstd(benchmark::State& state) {
  std::string body(2000, '\0');
  body.resize(ZSTD_compress(body.data(), body.size(), small_content().data(), small_content().size(), 3));
  decode_small(state, "zstd", body, preferred_inflater());
}
BENCHMARK(decode_small_gzip_zlib);
BENCHMARK(decode_small_gzip_preferred);
BENCHMARK(decode_small_br);
BENCHMARK(decode_small_zstd);

}  // namespace
}  // namespace sluice::wire
