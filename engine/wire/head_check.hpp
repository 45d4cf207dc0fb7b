// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>

#include "engine/wire/framing.hpp"
#include "engine/wire/grammar.hpp"

namespace sluice::wire {

/// How far a scan over text that grows has come.
enum class Progress : std::uint8_t { incomplete, complete, malformed };

/// What the start line and fields of a checked head say.
struct HeadFacts {
  FramingFields framing;
  std::uint16_t status = 0;        ///< of a response
  std::uint8_t version_minor = 0;  ///< HTTP/1.0 or HTTP/1.1

  /// RFC 9112, 9.3, before the framing of the message is looked at.
  bool wants_keep_alive() const {
    return !framing.connection_close() && (version_minor >= 1 || framing.connection_keep_alive());
  }
};

/// Checks a head or trailer block line by line, stricter than llhttp: CRLF alone ends a line, no folding,
/// names are tokens right before their colon, no control character but HTAB in values (RFC 9112, 2.2, 3, 4,
/// 5), and framing fields that have one meaning only (RFC 9112, 6). A fault is found as soon as its line
/// stands there. The places of the fields are noted on the way.
class HeadCheck {
 public:
  enum class Kind : std::uint8_t { response, request, trailers };

  HeadCheck(Kind kind, std::uint32_t max_fields) : max_fields_(max_fields), kind_(kind) {}

  /// Scans `text`, which begins with all that was scanned before.
  Progress scan(std::string_view text);

  std::size_t size() const { return line_start_; }  ///< of the block with its blank line, once complete
  const char* fault() const { return fault_; }      ///< what is malformed
  const HeadFacts& facts() const { return facts_; }

  /// Moves the fields of `block`, which is complete, to `headers`: the lines are copied in one piece, as they
  /// came.
  void move_fields(std::string_view block, Headers& headers);

 private:
  // Each takes the line at `at` and returns where the next begins; nullptr if it is incomplete or has a
  // fault.
  const char* scan_start_line(const char* at, const char* end);
  const char* scan_status_line(const char* at, const char* end);
  const char* scan_request_line(const char* at, const char* end);
  const char* scan_version(const char* at, const char* end);
  const char* scan_field(const char* text, const char* at, const char* end);
  const char* scan_line_end(const char* at, const char* end);
  const char* fail(const char* fault);

  HeadFacts facts_;
  detail::Vector<Headers::Entry> fields_;  // offsets in the text
  const char* fault_ = nullptr;
  std::uint32_t line_start_ = 0;
  std::uint32_t max_fields_;
  Kind kind_;
  bool start_line_done_ = false;
};

}  // namespace sluice::wire
