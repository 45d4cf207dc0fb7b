// SPDX-License-Identifier: MIT
#include "engine/wire/message_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "engine/wire/chunk_line.hpp"

namespace sluice::wire {
namespace {

/// Writes all Content-Length fields, which mean the same, as one of plain digits (RFC 9112, 6.3).
void merge_lengths(Headers& headers, std::uint64_t length) {
  std::array<char, 20> digits;
  char* digits_end = std::to_chars(digits.data(), digits.data() + digits.size(), length).ptr;
  for (auto [name, value] : headers) {
    if (is_content_length(name)) return headers.set(name, {digits.data(), digits_end});
  }
}

}  // namespace

MessageReader::MessageReader(HeadCheck::Kind kind, const ReaderLimits& limits)
    : limits_(limits), kind_(kind), check_(kind, limits.max_header_count) {}

void MessageReader::start_message() {
  expect_head();
  framing_ = Framing::none;
  started_ = false;
  keep_alive_ = false;
  extension_bytes_ = 0;
  remaining_ = received_ = 0;
  body_ = {};
  partial_ = {};
  if (!trailers_.empty()) trailers_.clear();
  failure_.clear();
  library_code_ = "";
}

void MessageReader::expect_head() {
  stage_ = Stage::head;
  check_ = HeadCheck(kind_, limits_.max_header_count);
}

std::optional<std::uint64_t> MessageReader::content_length() const {
  if (framing_ != Framing::counted) return std::nullopt;
  return received_ + remaining_;
}

std::uint64_t MessageReader::body_bytes_to_come() const {
  switch (stage_) {
    case Stage::counted:
      return remaining_;
    case Stage::chunk_line:
    case Stage::chunk_data:
    case Stage::chunk_cr:
    case Stage::chunk_lf:
    case Stage::until_close:
      return std::numeric_limits<std::uint64_t>::max();
    default:
      return 0;
  }
}

std::uint64_t MessageReader::plain_body_bytes() const {
  switch (stage_) {
    case Stage::counted:
    case Stage::chunk_data:
      return remaining_;
    case Stage::until_close:
      return std::numeric_limits<std::uint64_t>::max();
    default:
      return 0;
  }
}

void MessageReader::skip_body(std::uint64_t bytes) {
  received_ += bytes;
  if (stage_ == Stage::until_close) return;
  remaining_ -= bytes;
  if (remaining_ == 0) stage_ = stage_ == Stage::counted ? Stage::complete : Stage::chunk_cr;
}

MessageReader::Event MessageReader::fail(std::string_view failure, const char* library_code) {
  stage_ = Stage::failed;
  failure_.assign(failure);
  library_code_ = library_code;
  partial_ = {};
  return Event::failed;
}

const char* MessageReader::part() const {
  switch (stage_) {
    case Stage::head:
      return kind_ == HeadCheck::Kind::response ? "response head" : "request head";
    case Stage::trailers:
      return "trailer section";
    default:
      return "chunk line";
  }
}

/// Hands out the next block when `scanner` finds it complete. The caller's input is all used up if it is not.
template <class Scanner>
std::optional<MessageReader::Block> MessageReader::collect(std::span<const char>& input, std::size_t limit,
                                                           Scanner& scanner) {
  constexpr std::size_t kEager = 16;  // a peer that does not speak HTTP shows within the first bytes
  const std::size_t before = partial_.size();
  const std::string_view fresh = std::string_view(input.data(), input.size()).substr(0, limit + 1 - before);
  if (before != 0) partial_.append(fresh);
  const std::string_view text = before != 0 ? std::string_view(partial_) : fresh;
  // Later a line is scanned when it is whole: single bytes that trickle in must not cost a scan each.
  const bool scan = before < kEager || text.size() > limit || fresh.find('\n') != std::string_view::npos;
  const Progress progress = scan ? scanner.scan(text) : Progress::incomplete;
  const std::size_t size = progress == Progress::complete ? scanner.size() : text.size();
  if (progress == Progress::malformed) {
    fail(malformed(scanner.fault()));
    return std::nullopt;
  }
  if (size > limit) {
    fail(std::string("the ") + part() + " is longer than " + std::to_string(limit) + " bytes");
    return std::nullopt;
  }
  if (progress == Progress::incomplete) {
    if (before == 0) partial_.assign(fresh);
    input = {};
    return std::nullopt;
  }
  input = input.subspan(size - before);
  if (before == 0) return Block{text.substr(0, size), {}};
  partial_.resize(size);
  return Block{{}, std::exchange(partial_, {})};
}

std::optional<MessageReader::Block> MessageReader::collect_head(std::span<const char>& input) {
  if (input.empty()) return std::nullopt;
  started_ = true;
  return collect(input, limits_.max_head_bytes, check_);
}

void MessageReader::take_fields(const Block& block, Headers& headers) {
  check_.move_fields(block.text(), headers);
  if (!head_facts().framing.plain_length()) merge_lengths(headers, *head_facts().framing.content_length());
}

void MessageReader::start_body(Framing framing, bool keep_alive) {
  framing_ = framing;
  keep_alive_ = keep_alive && framing != Framing::until_close;
  switch (framing) {
    case Framing::none:
      stage_ = Stage::complete;
      break;
    case Framing::counted:
      remaining_ = check_.facts().framing.content_length().value_or(0);
      stage_ = remaining_ == 0 ? Stage::complete : Stage::counted;
      break;
    case Framing::chunked:
      stage_ = Stage::chunk_line;
      break;
    case Framing::until_close:
      stage_ = Stage::until_close;
      break;
  }
}

MessageReader::Event MessageReader::next_of_body(std::span<const char>& input) {
  while (true) {
    if (stage_ == Stage::complete) return Event::end;
    if (stage_ == Stage::failed) return Event::failed;
    if (input.empty()) return Event::need_more;
    switch (stage_) {
      case Stage::counted:
        return take_body(input, Stage::complete);
      case Stage::until_close:
        remaining_ = input.size();
        return take_body(input, Stage::until_close);
      case Stage::chunk_line:
        read_chunk_line(input);
        break;
      case Stage::chunk_data:
        return take_body(input, Stage::chunk_cr);
      case Stage::chunk_cr:
        read_chunk_end(input, '\r', Stage::chunk_lf);
        break;
      case Stage::chunk_lf:
        read_chunk_end(input, '\n', Stage::chunk_line);
        break;
      case Stage::trailers:
        read_trailers(input);
        break;
      case Stage::head:
      case Stage::complete:
      case Stage::failed:
        return stalled();
    }
  }
}

MessageReader::Event MessageReader::take_body(std::span<const char>& input, Stage afterwards) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
  body_ = input.first(size);
  input = input.subspan(size);
  remaining_ -= size;
  received_ += size;
  if (remaining_ == 0) stage_ = afterwards;
  return Event::body;
}

void MessageReader::read_chunk_line(std::span<const char>& input) {
  ChunkLine line;
  const std::size_t most = limits_.max_chunk_extension_bytes - extension_bytes_;
  std::optional<Block> block = collect(input, ChunkLine::kMaxDigits + most + 2, line);
  if (!block) return;
  if (line.extension_bytes() > most) {
    fail("more than " + std::to_string(limits_.max_chunk_extension_bytes) + " bytes of chunk extensions");
    return;
  }
  extension_bytes_ += static_cast<std::uint32_t>(line.extension_bytes());
  remaining_ = line.chunk_size();
  if (remaining_ != 0) {
    stage_ = Stage::chunk_data;
  } else {
    stage_ = Stage::trailers;
    check_ = HeadCheck(HeadCheck::Kind::trailers, limits_.max_header_count);
  }
}

void MessageReader::read_chunk_end(std::span<const char>& input, char expected, Stage afterwards) {
  if (input.front() != expected) {
    fail("no CRLF after the data of a chunk");
    return;
  }
  input = input.subspan(1);
  stage_ = afterwards;
}

void MessageReader::read_trailers(std::span<const char>& input) {
  std::optional<Block> block = collect(input, limits_.max_trailer_bytes, check_);
  if (!block) return;
  check_.move_fields(block->text(), trailers_);
  trailers_.remove("Content-Length");
  trailers_.remove("Transfer-Encoding");
  stage_ = Stage::complete;
}

MessageReader::Event MessageReader::end_of_stream() {
  if (stage_ == Stage::until_close) stage_ = Stage::complete;
  if (stage_ == Stage::complete) return Event::end;
  if (stage_ == Stage::failed) return Event::failed;
  const char* fault = partial_fault();
  return fail(fault == nullptr ? cut_short() : malformed(fault));
}

/// What collect() has not looked at yet: a fault in it says more than that it was cut short.
const char* MessageReader::partial_fault() {
  if (partial_.empty()) return nullptr;
  ChunkLine line;
  if (stage_ == Stage::chunk_line)
    line.scan(partial_);
  else
    check_.scan(partial_);
  return stage_ == Stage::chunk_line ? line.fault() : check_.fault();
}

std::string MessageReader::malformed(const char* fault) const {
  return std::string("malformed ") + part() + ": " + fault;
}

std::string MessageReader::cut_short() const {
  const std::string received = std::to_string(received_);
  switch (stage_) {
    case Stage::head:
      if (!partial_.empty())
        return "closed within a " + std::string(part()) + ", after " + std::to_string(partial_.size()) +
               " bytes of it";
      if (started_) return "closed after an informational response, before the final one";
      return kind_ == HeadCheck::Kind::response ? "closed before a response" : "closed before a request";
    case Stage::counted:
      return "closed after " + received + " of " + std::to_string(received_ + remaining_) + " body bytes";
    case Stage::trailers:
      return "closed within the trailer section, after " + received + " body bytes";
    default:
      return "closed before the last chunk, after " + received + " body bytes";
  }
}

}  // namespace sluice::wire
