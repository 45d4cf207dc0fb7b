// SPDX-License-Identifier: MIT
#include "engine/wire/framing.hpp"

#include <algorithm>
#include <array>

#include <sluice/headers.hpp>

#include "engine/wire/grammar.hpp"

namespace sluice::wire {
namespace {

// In lower case, as is_word() wants them.
constexpr char kContentLength[] = "content-length";
constexpr char kTransferEncoding[] = "transfer-encoding";
constexpr char kConnection[] = "connection";
constexpr char kHost[] = "host";

constexpr std::size_t kMaxLengthDigits = 255;

/// The transfer codings of the IANA registry besides chunked, and the former identity.
bool is_registered_coding(std::string_view coding) {
  constexpr std::array<std::string_view, 6> kCodings = {"gzip",     "x-gzip",     "deflate",
                                                        "compress", "x-compress", "identity"};
  return std::any_of(kCodings.begin(), kCodings.end(),
                     [coding](std::string_view known) { return equal_ignoring_case(coding, known); });
}

}  // namespace

const char* FramingFields::note(std::string_view name, std::string_view value) {
  switch (name.size()) {  // tells them all apart, so that other fields cost next to nothing
    case std::size(kHost) - 1:
      if (is_word(name, kHost) && hosts_ < 2) ++hosts_;
      return nullptr;
    case std::size(kConnection) - 1:
      if (is_word(name, kConnection)) note_connection(value);
      return nullptr;
    case std::size(kContentLength) - 1:
      return is_word(name, kContentLength) ? note_content_length(value) : nullptr;
    case std::size(kTransferEncoding) - 1:
      return is_word(name, kTransferEncoding) ? note_transfer_encoding(value) : nullptr;
    default:
      return nullptr;
  }
}

// Equal members, also of several fields, are one length; anything else is an attack or a bug (RFC 9110, 8.6).
const char* FramingFields::note_content_length(std::string_view value) {
  const bool repeated = length_digits_ != 0;
  const bool list = value.find(',') != std::string_view::npos;
  const bool blank_at_end = !value.empty() && is_blank(value.back());
  if (repeated || list || blank_at_end) plain_length_ = false;
  return first_fault(value, [this](std::string_view member) { return note_length(member); });
}

const char* FramingFields::note_length(std::string_view digits) {
  std::optional<std::uint64_t> length = parse_length(digits);
  if (!length || digits.size() > kMaxLengthDigits) return "malformed Content-Length";
  const bool differs = *length != content_length_ || digits.size() != length_digits_;
  if (length_digits_ != 0 && differs) return "differing Content-Length values";
  content_length_ = *length;
  length_digits_ = static_cast<std::uint8_t>(digits.size());
  return nullptr;
}

// chunked at most once and last, other codings from the registry only (RFC 9112, 6.1 and 7).
const char* FramingFields::note_transfer_encoding(std::string_view value) {
  return first_fault(value, [this](std::string_view coding) { return note_coding(coding); });
}

const char* FramingFields::note_coding(std::string_view coding) {
  if (coding_ == TransferCoding::chunked) return "chunked is not the last transfer coding";
  const bool chunked = is_word(coding, "chunked");
  if (!chunked && !is_registered_coding(coding)) return "unknown transfer coding";
  coding_ = chunked ? TransferCoding::chunked : TransferCoding::unframed;
  return nullptr;
}

void FramingFields::note_connection(std::string_view value) {
  first_fault(value, [this](std::string_view option) -> const char* {
    if (is_word(option, "close")) connection_close_ = true;
    if (is_word(option, "keep-alive")) connection_keep_alive_ = true;
    return nullptr;
  });
}

bool is_content_length(std::string_view name) {
  return is_word(name, kContentLength);
}

bool is_framing_field(std::string_view name) {
  return is_content_length(name) || is_word(name, kTransferEncoding);
}

}  // namespace sluice::wire
