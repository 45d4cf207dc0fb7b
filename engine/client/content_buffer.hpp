// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <sluice/detail/memory.hpp>
#include <sluice/error.hpp>
#include <sluice/headers.hpp>
#include <sluice/options.hpp>

#include "engine/wire/content_decoder.hpp"

namespace sluice::detail {

/// Why a body could not be made into content.
struct ContentFault {
  ErrorKind kind;
  std::string message;
  std::string library_code;
};

/// What undoes the content codings of a body; none if it has none.
std::optional<wire::ContentDecoder> decoder_for(const Headers& headers, const ReceiveLimits& limits);
/// After the decoder failed.
ContentFault fault_of(const wire::ContentDecoder& decoder);

/// Gathers a body in memory with its content codings undone, up to a limit.
class ContentBuffer {
 public:
  /// `content` receives it and must outlive the buffer.
  ContentBuffer(String& content, const Headers& headers, const ReceiveLimits& limits);

  /// Makes room for a body whose size was announced.
  void expect(std::uint64_t bytes);
  /// The next bytes of the body; a fault if they cannot be decoded or are too many.
  std::optional<ContentFault> append(std::span<const char> bytes);
  /// The body has ended.
  std::optional<ContentFault> finish();

 private:
  template <class Step>
  std::optional<ContentFault> decode(Step step);
  bool keep(std::span<const char> bytes);
  ContentFault too_large() const;

  String& content_;
  std::uint64_t max_bytes_;
  std::optional<wire::ContentDecoder> decoder_;
};

}  // namespace sluice::detail
