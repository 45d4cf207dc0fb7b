// SPDX-License-Identifier: MIT
#include <cstddef>
#include <memory>
#include <new>

#include <brotli/decode.h>

#include "engine/wire/coding/coding.hpp"
#include "engine/wire/coding/library_memory.hpp"

namespace sluice::wire {
namespace {

struct Destroy {
  void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
};

/// RFC 7932. Its window is at most 16 MiB: the extension for larger ones is off.
class BrotliCoding final : public Coding {
 public:
  BrotliCoding()
      : state_(BrotliDecoderCreateInstance([](void*, std::size_t bytes) { return library_allocate(bytes); },
                                           [](void*, void* memory) { library_free(memory); }, nullptr)) {
    if (!state_) throw std::bad_alloc();
  }

  CodingFault decode(std::span<const char>& input, std::span<char>& output) override {
    if (!complete_) {
      if (CodingFault fault = decompress(input, output)) return fault;
    }
    if (complete_ && !input.empty()) return {coding_clause::kTrailingBytes};
    return {};
  }

  bool complete() const override { return complete_; }

 private:
  CodingFault decompress(std::span<const char>& input, std::span<char>& output) {
    std::size_t input_left = input.size();
    std::size_t output_left = output.size();
    const auto* next_input = reinterpret_cast<const std::uint8_t*>(input.data());
    auto* next_output = reinterpret_cast<std::uint8_t*>(output.data());
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(state_.get(), &input_left, &next_input,
                                                                     &output_left, &next_output, nullptr);
    input = input.last(input_left);
    output = output.last(output_left);
    complete_ = result == BROTLI_DECODER_RESULT_SUCCESS;
    if (result == BROTLI_DECODER_RESULT_ERROR)
      return {coding_clause::kMalformed, BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state_.get()))};
    return {};
  }

  std::unique_ptr<BrotliDecoderState, Destroy> state_;
  bool complete_ = false;
};

}  // namespace

std::unique_ptr<Coding> make_brotli_coding() {
  return std::make_unique<BrotliCoding>();
}

}  // namespace sluice::wire
