// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>

#include "engine/wire/coding/coding.hpp"

namespace sluice::wire {

/// What a peer may make a decoder do: a few kilobytes of content can stand for gigabytes.
struct DecoderLimits {
  std::uint32_t max_layers = 5;
  std::uint64_t max_decoded_bytes = UINT64_MAX;
  std::uint32_t max_ratio = 250;  ///< decoded to coded bytes, of any layer; 0: any ratio
  std::uint64_t ratio_applies_after_bytes = 32 * 1024 * 1024;  ///< of what a layer yields
  std::uint64_t max_zstd_window_bytes = 8 * 1024 * 1024;       ///< RFC 9659; powers of two count
};

/// The library that inflates gzip and deflate.
enum class Inflater : std::uint8_t { zlib, isal };

/// Whether this build has it; zlib always.
bool available(Inflater inflater);
/// ISA-L where it was built in, several times as fast as zlib.
Inflater preferred_inflater();

/// What the decoder can undo, as the value of Accept-Encoding.
std::string_view accept_encoding();

/// Undoes the content codings of one body (RFC 9110, 8.4), piece by piece: gzip with all its members, deflate
/// with or without the zlib format, br, zstd with all its frames, and stacks of them. Sans-I/O; memory is
/// bounded by the windows of the codings, and 16 KiB between two layers.
///
/// Usage: decode() for each piece of the body while there is input, with a fresh output whenever one is full;
/// then finish() until `end`. An empty body is empty content, whatever its codings (HEAD, 304). Throws
/// nothing but std::bad_alloc. One thread at a time; any thread may destroy it.
class ContentDecoder {
 public:
  enum class Event : std::uint8_t {
    need_input,   ///< all input is used up, and all that follows from it is in the outputs
    output_full,  ///< there may be more: call again with another output, even if the input is used up
    end,          ///< of finish() only: the content is complete
    failed,       ///< see failure(); what was put out before is not to be trusted
  };

  /// From the Content-Encoding fields, all lines joined, the last coding undone first. Case, blanks, empty
  /// members and "identity" do not count.
  explicit ContentDecoder(const Headers& headers, const DecoderLimits& limits = {},
                          Inflater inflater = preferred_inflater());

  /// Nothing is to be decoded: hand the body on as it is. decode() would copy it.
  bool identity() const { return layers_.empty() && !failed(); }
  /// The coding that this decoder does not know, in the sender's spelling; it and those before it in the list
  /// stay. "" if there is none.
  std::string_view unknown_coding() const { return unknown_coding_; }

  /// Consumes a prefix of the input and fills a prefix of the output; both are advanced.
  Event decode(std::span<const char>& input, std::span<char>& output);
  /// The body has ended: end, or output_full while more may come, or failed if the content was cut short. The
  /// output must not be empty, even if nothing is left.
  Event finish(std::span<char>& output);

  /// After `failed`: what is wrong, one clause without a final stop.
  std::string_view failure() const { return failure_; }
  /// After `failed`: what the library calls it, "" if it was not a library that refused the content.
  std::string_view library_code() const { return library_code_; }
  /// After `failed`: a limit was passed; otherwise the content is malformed or cut short.
  bool limit_reached() const { return limit_reached_; }

  std::uint64_t coded_bytes() const { return coded_bytes_; }  ///< consumed
  std::uint64_t decoded_bytes() const { return decoded_bytes_; }

 private:
  struct KnownCoding;

  /// One coding of the stack, and what it has decoded for the next.
  struct Layer {
    const KnownCoding* known = nullptr;
    std::unique_ptr<Coding> coding;  // made when its first byte arrives
    bool pending = false;            // its last output was filled, so there may be more without input
    std::uint64_t decoded_bytes = 0;
    detail::Vector<char> buffer;    // of all layers but the last, which fills the caller's output
    std::span<const char> decoded;  // the part of the buffer that the next layer has not consumed
  };

  void add_layer(std::string_view coding);
  bool failed() const { return !failure_.empty(); }
  Event copy(std::span<const char>& input, std::span<char>& output);
  Event pump(std::span<const char>& input, std::span<char>& output);
  bool step(std::size_t position, std::span<const char>& input, std::span<char>& output);
  bool decode_bounded(Layer& layer, std::uint64_t max_bytes, std::span<const char>& input,
                      std::span<char>& output);
  bool within_ratio(const Layer& layer) const;
  bool fail(const Layer& layer, const CodingFault& fault);
  bool fail(std::string_view failure, const char* library_code, bool limit);

  DecoderLimits limits_;
  Inflater inflater_;
  detail::Vector<Layer> layers_;  // in the order in which they are undone
  detail::String unknown_coding_;
  std::uint64_t coded_bytes_ = 0;
  std::uint64_t decoded_bytes_ = 0;
  detail::String failure_;
  const char* library_code_ = "";
  bool limit_reached_ = false;
};

}  // namespace sluice::wire
