// SPDX-License-Identifier: MIT
#include "engine/client/piece_source.hpp"

#include <utility>

#include "engine/client/content_buffer.hpp"

namespace sluice::detail {

// ---- one piece at a time

template <class Piece>
bool PieceSource<Piece>::settle() {
  if (step_ == Step::end || step_ == Step::failed) return true;
  if (!std::exchange(claimed_, true)) refused_ = claim();
  if (!refused_ && stream_->abandoned()) refused_ = StreamState::abandonment();
  if (refused_)
    step_ = Step::failed;
  else if (step_ == Step::need_more)
    step_ = pull(piece_);
  return step_ != Step::need_more;
}

template <class Piece>
Result<std::optional<Piece>> PieceSource<Piece>::take() {
  if (step_ == Step::failed) return refused_ ? *refused_ : stream_->error();
  if (step_ != Step::piece) return std::optional<Piece>();
  step_ = Step::need_more;
  return std::optional<Piece>(std::move(piece_));
}

template <class Piece>
bool PieceSourceUse<Piece>::settle(PieceSource<Piece>& source) {
  return source.settle();
}

template <class Piece>
Task<void> PieceSourceUse<Piece>::fill(PieceSource<Piece>& source) {
  StreamState::Pointer stream = source.stream();
  while (!source.settle()) stream->supply(co_await stream->read_more());
}

template <class Piece>
Result<std::optional<Piece>> PieceSourceUse<Piece>::take(PieceSource<Piece>& source) {
  return source.take();
}

template <class Piece>
void PieceSourceUse<Piece>::operator()(PieceSource<Piece>* source) const noexcept {
  delete source;
}

template class PieceSource<Chunk>;
template class PieceSource<std::string_view>;
template struct PieceSourceUse<Chunk>;
template struct PieceSourceUse<std::string_view>;

// ---- bytes, decoded

std::optional<Error> DecodedBytes::claim() {
  from_content_ = stream_->response().content_read;
  if (from_content_) return std::nullopt;
  decoder_ = decoder_for(stream_->response().head.headers, stream_->limits());
  return stream_->claim();
}

Step DecodedBytes::pull(ring::Lease& piece) {
  if (from_content_) return pull_content(piece);
  Step step = decoder_ ? pull_decoded(piece) : stream_->pull(piece);
  if (step == Step::piece) stream_->response().decoded_bytes += piece.bytes().size();
  return step;
}

Step DecodedBytes::pull_content(ring::Lease& piece) {
  std::string_view rest = std::string_view(stream_->response().content).substr(content_offset_);
  if (rest.empty()) return Step::end;
  rest = rest.substr(0, kLargestChunkSize);
  content_offset_ += rest.size();
  piece = ring::Lease::copy_of(rest);
  return Step::piece;
}

Step DecodedBytes::next_input() {
  Step step = stream_->pull(input_lease_);
  if (step == Step::piece) input_ = input_lease_.bytes();
  if (step == Step::end) input_ended_ = true;
  return step;
}

Step DecodedBytes::pull_decoded(ring::Lease& piece) {
  using Event = wire::ContentDecoder::Event;
  for (;;) {
    if (input_.empty() && !output_pending_ && !input_ended_) {
      input_lease_.drop();
      Step step = next_input();
      if (step == Step::need_more || step == Step::failed) return step;
    }
    if (room_.empty()) {
      block_ = ring::Lease::block();
      room_ = block_.memory();
    }
    const char* begin = room_.data();
    Event event = input_ended_ ? decoder_->finish(room_) : decoder_->decode(input_, room_);
    if (event == Event::failed) return stream_->fail(fault_of(*decoder_));
    output_pending_ = event == Event::output_full;
    if (room_.data() != begin) {
      piece = block_.share({begin, room_.data()});
      if (room_.empty()) block_.drop();
      return Step::piece;
    }
    if (event == Event::end) {
      block_.drop();
      return Step::end;
    }
  }
}

// ---- pieces of one size

/// A chunk that lies in the input shares its memory.
ring::Lease EqualBytes::chunk() const {
  std::span<const char> chunk = chunker_.chunk();
  std::span<const char> input = input_.bytes();
  bool shares = !input.empty() && chunk.data() >= input.data() && chunk.data() < input.data() + input.size();
  return shares ? input_.share(chunk) : ring::Lease::copy_of(chunk);
}

Step EqualBytes::pull(ring::Lease& piece) {
  for (;;) {
    bool found = finished_ ? chunker_.finish() : chunker_.next(rest_);
    if (found) piece = chunk();
    if (found || finished_) return found ? Step::piece : Step::end;
    input_.drop();
    Step step = bytes_.pull(input_);
    if (step == Step::need_more || step == Step::failed) return step;
    finished_ = step == Step::end;
    rest_ = {input_.bytes().data(), input_.bytes().size()};
  }
}

Step EqualText::pull(std::string_view& piece) {
  for (;;) {
    bool found = finished_ ? chunker_.finish() : chunker_.next(rest_);
    if (found) piece = chunker_.chunk();
    if (found || finished_) return found ? Step::piece : Step::end;
    Step step = text_.pull(rest_);
    if (step == Step::need_more || step == Step::failed) return step;
    finished_ = step == Step::end;
  }
}

// ---- text and lines

std::optional<Error> DecodedText::claim() {
  decoder_.emplace(stream_->response().charset());
  return bytes_.claim();
}

Step DecodedText::pull(std::string_view& piece) {
  for (;;) {
    if (finished_) return Step::end;
    input_.drop();  // the text that lay in it has had its time
    Step step = bytes_.pull(input_);
    if (step == Step::need_more || step == Step::failed) return step;
    if (step == Step::piece) piece = decoder_->decode(input_.bytes());
    if (step == Step::end) {
      finished_ = true;
      piece = decoder_->finish();
    }
    if (!piece.empty()) return Step::piece;
  }
}

TextLines::TextLines(StreamState& stream, LineMode mode)
    : stream_(&stream), text_(stream), splitter_(mode, stream.limits().max_line_bytes) {}

Step TextLines::pull(std::string_view& line) {
  using Event = wire::LineSplitter::Event;
  for (;;) {
    Event event = finished_ ? splitter_.finish() : splitter_.next(rest_);
    if (event == Event::line) {
      line = splitter_.line();
      return Step::piece;
    }
    if (event == Event::too_long)
      return stream_->fail(
          {ErrorKind::limit_exceeded,
           "a line is longer than max_line_bytes, " + std::to_string(stream_->limits().max_line_bytes), ""});
    if (finished_) return Step::end;
    Step step = text_.pull(rest_);
    if (step == Step::end) finished_ = true;
    if (step == Step::need_more || step == Step::failed) return step;
  }
}

// ---- the sources of the iterators

template <class Piece, class Origin>
Step SourceOf<Piece, Origin>::pull(Piece& piece) {
  if constexpr (std::is_same_v<Piece, Chunk>) {
    ring::Lease lease;
    Step step = origin_.pull(lease);
    if (step == Step::piece) piece = Chunk(std::move(lease));
    return step;
  } else {
    return origin_.pull(piece);
  }
}

template class SourceOf<Chunk, RawBytes>;
template class SourceOf<Chunk, DecodedBytes>;
template class SourceOf<Chunk, EqualBytes>;
template class SourceOf<std::string_view, DecodedText>;
template class SourceOf<std::string_view, EqualText>;
template class SourceOf<std::string_view, TextLines>;

}  // namespace sluice::detail
