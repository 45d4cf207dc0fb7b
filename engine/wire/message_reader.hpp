// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>

#include "engine/wire/head_check.hpp"
#include "engine/wire/head_parser.hpp"

namespace sluice::wire {

/// What a peer may make a reader hold or skip.
struct ReaderLimits {
  std::uint32_t max_head_bytes = 100 * 1024;
  std::uint32_t max_header_count = 256;
  std::uint32_t max_informational_responses = 16;
  std::uint32_t max_trailer_bytes = 16 * 1024;
  std::uint32_t max_chunk_extension_bytes = 16 * 1024;  ///< of all chunks of a message together
};

/// What reading requests and responses has in common: collecting a head, and the body in its three framings
/// (RFC 9112, 6). Sans-I/O: bytes are pushed in, events come out.
///
/// Usage: start a message (see the derived classes), then call next() until it says need_more, and again when
/// more bytes have arrived; when the peer closes, call end_of_stream(). A head or line that stands whole in
/// the input is read in place; a partial one is kept in recycled memory until the rest arrives.
class MessageReader {
 public:
  enum class Event : std::uint8_t {
    need_more,      ///< all of the input is used up
    informational,  ///< a 1xx head is in the ResponseHead; the next one will overwrite it
    head,           ///< the head is complete
    body,           ///< body() has a span of the body
    end,            ///< the message is complete; what is left of the input is not part of it
    failed,         ///< see failure(); the connection is of no more use
  };

  /// The peer closed its side: end if that is how the body ends, otherwise failed, for the message was cut
  /// short.
  Event end_of_stream();

  /// The span of the last body event: part of the caller's input, not a copy.
  std::span<const char> body() const { return body_; }
  /// Complete after `end`. Framing fields among them are dropped (RFC 9110, 6.5.1).
  const Headers& trailers() const { return trailers_; }
  /// After `end`: whether the connection may carry another message (RFC 9112, 9.3).
  bool keep_alive() const { return stage_ == Stage::complete && keep_alive_; }
  /// After `head`: the size of the body to come, if it was announced.
  std::optional<std::uint64_t> content_length() const;
  /// How many bytes of the body are still to come; the largest number if that is unknown, 0 before the head.
  std::uint64_t body_bytes_to_come() const;
  /// How many of them come next without framing between them; the largest number if they last until
  /// the end of the stream.
  std::uint64_t plain_body_bytes() const;
  /// Takes note that so many of these bytes were consumed elsewhere.
  void skip_body(std::uint64_t bytes);
  /// Body bytes so far, without the chunked coding.
  std::uint64_t body_bytes() const { return received_; }
  /// Whether any byte of the message was seen.
  bool started() const { return started_; }
  /// After `failed`: what is wrong, one clause without a final stop.
  std::string_view failure() const { return failure_; }
  /// After `failed`: llhttp's name of the error if it was llhttp that refused the head, otherwise "".
  std::string_view library_code() const { return library_code_; }

 protected:
  enum class Framing : std::uint8_t { none, counted, chunked, until_close };

  /// A complete head, trailer section or chunk line: in the caller's input, or collected from several.
  struct Block {
    std::string_view in_place;
    detail::String collected;
    std::string_view text() const { return collected.empty() ? in_place : std::string_view(collected); }
  };

  MessageReader(HeadCheck::Kind kind, const ReaderLimits& limits);

  void start_message();
  void expect_head();  ///< the next bytes are a head, of this message still
  bool in_head() const { return stage_ == Stage::head; }
  std::optional<Block> collect_head(std::span<const char>& input);
  /// Moves the fields of a collected head to `headers`.
  void take_fields(const Block& block, Headers& headers);
  const HeadFacts& head_facts() const { return check_.facts(); }
  void start_body(Framing framing, bool keep_alive);

  Event next_of_body(std::span<const char>& input);
  Event stalled() const { return stage_ == Stage::failed ? Event::failed : Event::need_more; }
  Event fail(std::string_view failure, const char* library_code = "");

  ReaderLimits limits_;

 private:
  enum class Stage : std::uint8_t {
    head,
    counted,
    until_close,
    chunk_line,
    chunk_data,
    chunk_cr,
    chunk_lf,
    trailers,
    complete,
    failed,
  };

  template <class Scanner>
  std::optional<Block> collect(std::span<const char>& input, std::size_t limit, Scanner& scanner);
  Event take_body(std::span<const char>& input, Stage afterwards);
  void read_chunk_line(std::span<const char>& input);
  void read_chunk_end(std::span<const char>& input, char expected, Stage afterwards);
  void read_trailers(std::span<const char>& input);
  const char* partial_fault();
  std::string malformed(const char* fault) const;
  std::string cut_short() const;
  const char* part() const;

  HeadCheck::Kind kind_;
  Stage stage_ = Stage::complete;
  Framing framing_ = Framing::none;
  bool started_ = false;
  bool keep_alive_ = false;
  std::uint32_t extension_bytes_ = 0;
  HeadCheck check_;
  std::uint64_t remaining_ = 0;  // of the body, or of the chunk
  std::uint64_t received_ = 0;
  std::span<const char> body_;
  detail::String partial_;
  Headers trailers_;
  detail::String failure_;
  const char* library_code_ = "";
};

}  // namespace sluice::wire
