// SPDX-License-Identifier: MIT
#include "engine/client/content_buffer.hpp"

#include <algorithm>

#include "engine/ring/buffer_ring.hpp"

namespace sluice::detail {
namespace {

// A body whose size was announced gets its memory at once, up to this: an announcement alone must not cost
// much.
constexpr std::uint64_t kTrustedAnnouncementBytes = 1024 * 1024;

wire::DecoderLimits decoder_limits(const ReceiveLimits& limits) {
  wire::DecoderLimits result;
  result.max_layers = limits.max_content_codings;
  result.max_decoded_bytes = limits.max_decoded_body_bytes;
  result.max_ratio = limits.max_decoding_ratio;
  return result;
}

}  // namespace

std::optional<wire::ContentDecoder> decoder_for(const Headers& headers, const ReceiveLimits& limits) {
  std::optional<wire::ContentDecoder> decoder;
  if (headers.contains("content-encoding")) decoder.emplace(headers, decoder_limits(limits));
  if (decoder && decoder->identity()) decoder.reset();
  return decoder;
}

ContentFault fault_of(const wire::ContentDecoder& decoder) {
  return {decoder.limit_reached() ? ErrorKind::limit_exceeded : ErrorKind::decoding_error,
          std::string(decoder.failure()), std::string(decoder.library_code())};
}

ContentBuffer::ContentBuffer(String& content, const Headers& headers, const ReceiveLimits& limits)
    : content_(content), max_bytes_(limits.max_buffered_body_bytes), decoder_(decoder_for(headers, limits)) {}

void ContentBuffer::expect(std::uint64_t bytes) {
  content_.reserve(std::min({bytes, max_bytes_, kTrustedAnnouncementBytes}));
}

bool ContentBuffer::keep(std::span<const char> bytes) {
  if (bytes.size() > max_bytes_ - content_.size()) return false;
  content_.append(bytes.data(), bytes.size());
  return true;
}

ContentFault ContentBuffer::too_large() const {
  return {ErrorKind::limit_exceeded,
          "the body is larger than max_buffered_body_bytes, " + std::to_string(max_bytes_), ""};
}

/// Runs a step of the decoder until it needs no more room.
template <class Step>
std::optional<ContentFault> ContentBuffer::decode(Step step) {
  using Event = wire::ContentDecoder::Event;
  ring::Lease block = ring::Lease::block();
  for (Event event = Event::output_full; event == Event::output_full;) {
    std::span<char> room = block.memory();
    event = step(room);
    if (event == Event::failed) return fault_of(*decoder_);
    if (!keep(block.bytes().first(block.bytes().size() - room.size()))) return too_large();
  }
  return std::nullopt;
}

std::optional<ContentFault> ContentBuffer::append(std::span<const char> bytes) {
  if (!decoder_) return keep(bytes) ? std::nullopt : std::optional(too_large());
  return decode([&](std::span<char>& room) { return decoder_->decode(bytes, room); });
}

std::optional<ContentFault> ContentBuffer::finish() {
  if (!decoder_) return std::nullopt;
  return decode([&](std::span<char>& room) { return decoder_->finish(room); });
}

}  // namespace sluice::detail
