// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include <sluice/body_iterator.hpp>
#include <sluice/detail/memory.hpp>
#include <sluice/text.hpp>

#include "engine/client/stream_state.hpp"
#include "engine/wire/chunker.hpp"
#include "engine/wire/content_decoder.hpp"
#include "engine/wire/line_splitter.hpp"
#include "engine/wire/text_decoder.hpp"

namespace sluice::detail {

/// What stands behind a BodyIterator. Asks for one piece at a time and keeps what comes until it is taken.
template <class Piece>
class PieceSource : public Recycled {
 public:
  virtual ~PieceSource() = default;
  PieceSource(const PieceSource&) = delete;
  PieceSource& operator=(const PieceSource&) = delete;

  bool settle();
  Result<std::optional<Piece>> take();
  StreamState::Pointer stream() const { return stream_; }

 protected:
  explicit PieceSource(StreamState::Pointer stream) : stream_(std::move(stream)) {}

 private:
  /// Called once, before the first pull(): an error if the body may not be read.
  virtual std::optional<Error> claim() = 0;
  virtual Step pull(Piece& piece) = 0;

  StreamState::Pointer stream_;
  Piece piece_;
  Step step_ = Step::need_more;
  bool claimed_ = false;
  std::optional<Error> refused_;
};

/// The bytes of a body as they came.
class RawBytes {
 public:
  explicit RawBytes(StreamState& stream) : stream_(&stream) {}
  std::optional<Error> claim() { return stream_->claim(); }
  Step pull(ring::Lease& piece) { return stream_->pull(piece); }

 private:
  StreamState* stream_;
};

/// The bytes of a body with its content codings undone, in blocks of recycled memory; without codings, the
/// bytes as they came. Of a body that was read before: its content.
class DecodedBytes {
 public:
  explicit DecodedBytes(StreamState& stream) : stream_(&stream) {}
  std::optional<Error> claim();
  Step pull(ring::Lease& piece);

 private:
  Step pull_content(ring::Lease& piece);
  Step pull_decoded(ring::Lease& piece);
  Step next_input();

  StreamState* stream_;
  bool from_content_ = false;
  std::size_t content_offset_ = 0;
  std::optional<wire::ContentDecoder> decoder_;
  ring::Lease input_lease_;
  std::span<const char> input_;
  bool input_ended_ = false;
  bool output_pending_ = false;  // the decoder may have more without input
  ring::Lease block_;
  std::span<char> room_;  // what is unused of the block
};

/// Decoded bytes in pieces of one size.
class EqualBytes {
 public:
  EqualBytes(StreamState& stream, std::size_t chunk_bytes)
      : bytes_(stream), chunker_(wire::Chunker::Unit::byte, chunk_bytes) {}
  std::optional<Error> claim() { return bytes_.claim(); }
  Step pull(ring::Lease& piece);

 private:
  ring::Lease chunk() const;

  DecodedBytes bytes_;
  wire::Chunker chunker_;
  ring::Lease input_;
  std::string_view rest_;
  bool finished_ = false;
};

/// A body's text as UTF-8.
class DecodedText {
 public:
  explicit DecodedText(StreamState& stream) : stream_(&stream), bytes_(stream) {}
  std::optional<Error> claim();
  Step pull(std::string_view& piece);

 private:
  StreamState* stream_;
  DecodedBytes bytes_;
  ring::Lease input_;
  std::optional<wire::TextDecoder> decoder_;
  bool finished_ = false;
};

/// A body's text in pieces of one size.
class EqualText {
 public:
  EqualText(StreamState& stream, std::size_t chunk_characters)
      : text_(stream), chunker_(wire::Chunker::Unit::character, chunk_characters) {}
  std::optional<Error> claim() { return text_.claim(); }
  Step pull(std::string_view& piece);

 private:
  DecodedText text_;
  wire::Chunker chunker_;
  std::string_view rest_;
  bool finished_ = false;
};

/// A body's lines.
class TextLines {
 public:
  TextLines(StreamState& stream, LineMode mode);
  std::optional<Error> claim() { return text_.claim(); }
  Step pull(std::string_view& line);

 private:
  StreamState* stream_;
  DecodedText text_;
  wire::LineSplitter splitter_;
  std::string_view rest_;
  bool finished_ = false;
};

/// The source of an iterator: one of the classes above.
template <class Piece, class Origin>
class SourceOf final : public PieceSource<Piece> {
 public:
  template <class... Arguments>
  explicit SourceOf(StreamState::Pointer stream, Arguments... arguments)
      : PieceSource<Piece>(stream), origin_(*stream, arguments...) {}

 private:
  std::optional<Error> claim() override { return origin_.claim(); }
  Step pull(Piece& piece) override;

  Origin origin_;
};

}  // namespace sluice::detail
