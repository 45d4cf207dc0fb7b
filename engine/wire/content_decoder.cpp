// SPDX-License-Identifier: MIT
#include "engine/wire/content_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/wire/coding/inflate.hpp"
#include "engine/wire/grammar.hpp"

namespace sluice::wire {

struct ContentDecoder::KnownCoding {
  std::string_view name;
  std::unique_ptr<Coding> (*make)(const DecoderLimits&, Inflater);
};

namespace {

constexpr std::size_t kBufferBytes = 16 * 1024;  // between two layers

std::unique_ptr<InflateStream> make_inflate_stream(Inflater inflater) {
  if constexpr (SLUICE_HAS_ISAL) {
    if (inflater == Inflater::isal) return make_isal_stream();
  }
  return make_zlib_stream();
}

std::unique_ptr<Coding> make_gzip(const DecoderLimits&, Inflater inflater) {
  return make_gzip_coding(make_inflate_stream(inflater));
}

std::unique_ptr<Coding> make_deflate(const DecoderLimits&, Inflater inflater) {
  return make_deflate_coding(make_inflate_stream(inflater));
}

std::unique_ptr<Coding> make_brotli(const DecoderLimits&, Inflater) {
  return make_brotli_coding();
}

std::unique_ptr<Coding> make_zstd(const DecoderLimits& limits, Inflater) {
  return make_zstd_coding(limits.max_zstd_window_bytes);
}

/// What a layer may yield that is not the last. Coding can lengthen short content, so the limit of the
/// decoded content leaves room here; but what lies between the layers must be bounded too.
std::uint64_t max_bytes_between_layers(std::uint64_t max_decoded_bytes) {
  constexpr std::uint64_t kRoom = 64 * 1024;
  if (max_decoded_bytes > (UINT64_MAX - kRoom) / 2) return UINT64_MAX;
  return 2 * max_decoded_bytes + kRoom;
}

}  // namespace

bool available(Inflater inflater) {
  return inflater == Inflater::zlib || SLUICE_HAS_ISAL;
}

Inflater preferred_inflater() {
  return available(Inflater::isal) ? Inflater::isal : Inflater::zlib;
}

std::string_view accept_encoding() {
  return "gzip, deflate, br, zstd";
}

ContentDecoder::ContentDecoder(const Headers& headers, const DecoderLimits& limits, Inflater inflater)
    : limits_(limits), inflater_(inflater) {
  detail::Vector<std::string_view> codings;
  for (auto [name, value] : headers) {
    if (!equal_ignoring_case(name, "content-encoding")) continue;
    first_fault(value, [&codings](std::string_view coding) -> const char* {
      if (!coding.empty() && !equal_ignoring_case(coding, "identity")) codings.push_back(coding);
      return nullptr;
    });
  }
  for (auto coding = codings.rbegin(); coding != codings.rend() && unknown_coding_.empty(); ++coding)
    add_layer(*coding);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) layers_[i].buffer.resize(kBufferBytes);
}

void ContentDecoder::add_layer(std::string_view coding) {
  static constexpr KnownCoding kKnown[] = {{"gzip", make_gzip},
                                           {"x-gzip", make_gzip},
                                           {"deflate", make_deflate},
                                           {"br", make_brotli},
                                           {"zstd", make_zstd}};
  const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown), [coding](const KnownCoding& entry) {
    return equal_ignoring_case(entry.name, coding);
  });
  if (known == std::end(kKnown)) {
    unknown_coding_.assign(coding);
  } else if (layers_.size() == limits_.max_layers) {
    fail("content has more than " + std::to_string(limits_.max_layers) + " codings", "", true);
  } else {
    layers_.emplace_back().known = known;
  }
}

ContentDecoder::Event ContentDecoder::decode(std::span<const char>& input, std::span<char>& output) {
  if (failed()) return Event::failed;
  const std::size_t output_bytes = output.size();
  const Event event = layers_.empty() ? copy(input, output) : pump(input, output);
  decoded_bytes_ += output_bytes - output.size();
  return event;
}

ContentDecoder::Event ContentDecoder::finish(std::span<char>& output) {
  std::span<const char> nothing;
  const Event event = decode(nothing, output);
  if (event != Event::need_input) return event;
  for (const Layer& layer : layers_) {
    if (!layer.coding || layer.coding->complete()) continue;
    fail(layer, {"is cut short"});
    return Event::failed;
  }
  return Event::end;
}

ContentDecoder::Event ContentDecoder::copy(std::span<const char>& input, std::span<char>& output) {
  const std::size_t bytes = std::min(input.size(), output.size());
  std::copy_n(input.begin(), bytes, output.begin());
  input = input.subspan(bytes);
  output = output.subspan(bytes);
  coded_bytes_ += bytes;
  return output.empty() ? Event::output_full : Event::need_input;
}

/// Pulls: the last layer works until it wants input, then the one before it until it has some, and so on.
ContentDecoder::Event ContentDecoder::pump(std::span<const char>& input, std::span<char>& output) {
  const std::size_t last = layers_.size() - 1;
  std::size_t position = last;
  while (!output.empty()) {
    if (!step(position, input, output)) return Event::failed;
    if (position != last && !layers_[position].decoded.empty()) {
      ++position;
    } else if (position != last || !output.empty()) {
      if (position == 0) return Event::need_input;
      --position;
    }
  }
  return Event::output_full;
}

/// One layer's turn; its buffer, if it has one, is free to be filled.
bool ContentDecoder::step(std::size_t position, std::span<const char>& input, std::span<char>& output) {
  Layer& layer = layers_[position];
  std::span<const char>& coded = position == 0 ? input : layers_[position - 1].decoded;
  if (position + 1 == layers_.size()) return decode_bounded(layer, limits_.max_decoded_bytes, coded, output);
  std::span<char> room(layer.buffer);
  const bool ok = decode_bounded(layer, max_bytes_between_layers(limits_.max_decoded_bytes), coded, room);
  layer.decoded = std::span<const char>(layer.buffer).first(layer.buffer.size() - room.size());
  return ok;
}

bool ContentDecoder::decode_bounded(Layer& layer, std::uint64_t max_bytes, std::span<const char>& input,
                                    std::span<char>& output) {
  if (!layer.coding) {
    if (input.empty()) return true;
    layer.coding = layer.known->make(limits_, inflater_);
  }
  if (input.empty() && !layer.pending) return true;
  // Room for one byte more than there may be, to see whether there is more; that byte is not handed out.
  const std::uint64_t allowed_bytes = max_bytes - layer.decoded_bytes;
  std::span<char> room = allowed_bytes < output.size() ? output.first(allowed_bytes + 1) : output;
  const std::size_t input_bytes = input.size();
  const std::size_t room_bytes = room.size();
  const CodingFault fault = layer.coding->decode(input, room);
  if (&layer == &layers_.front()) coded_bytes_ += input_bytes - input.size();
  layer.pending = room.empty();
  const std::uint64_t decoded_bytes = room_bytes - room.size();
  const std::uint64_t kept_bytes = std::min(decoded_bytes, allowed_bytes);
  layer.decoded_bytes += kept_bytes;
  output = output.subspan(kept_bytes);
  if (decoded_bytes > allowed_bytes) return fail(layer, {"decodes to more bytes than are allowed", "", true});
  if (!within_ratio(layer)) return fail(layer, {"expands more than is allowed", "", true});
  return fault ? fail(layer, fault) : true;
}

bool ContentDecoder::within_ratio(const Layer& layer) const {
  if (limits_.max_ratio == 0 || layer.decoded_bytes <= limits_.ratio_applies_after_bytes) return true;
  return layer.decoded_bytes / limits_.max_ratio <= coded_bytes_;
}

bool ContentDecoder::fail(const Layer& layer, const CodingFault& fault) {
  return fail(std::string(layer.known->name).append(" content ").append(fault.clause), fault.library_code,
              fault.limit);
}

bool ContentDecoder::fail(std::string_view failure, const char* library_code, bool limit) {
  failure_.assign(failure);
  library_code_ = library_code;
  limit_reached_ = limit;
  return false;
}

}  // namespace sluice::wire
