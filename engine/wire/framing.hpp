// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::wire {

/// The final transfer coding of a message (RFC 9112, 6.1).
enum class TransferCoding : std::uint8_t { none, unframed /* registered, but not chunked */, chunked };

/// What the fields of a head say about the framing of its message, its routing and the life of its
/// connection.
class FramingFields {
 public:
  /// Takes a field into account; returns why it has no single meaning, or nullptr. `value` may have blanks
  /// around.
  const char* note(std::string_view name, std::string_view value);

  std::optional<std::uint64_t> content_length() const {
    return length_digits_ == 0 ? std::nullopt : std::optional(content_length_);
  }
  TransferCoding coding() const { return coding_; }
  unsigned hosts() const { return hosts_; }  ///< Host fields; all beyond one count as 2
  bool connection_close() const { return connection_close_; }
  bool connection_keep_alive() const { return connection_keep_alive_; }
  /// At most one Content-Length field, of a single member without blanks after it.
  bool plain_length() const { return plain_length_; }

 private:
  const char* note_content_length(std::string_view value);
  const char* note_transfer_encoding(std::string_view value);
  const char* note_length(std::string_view digits);
  const char* note_coding(std::string_view coding);
  void note_connection(std::string_view value);

  std::uint64_t content_length_ = 0;
  std::uint8_t length_digits_ = 0;  // "030" and "30" are not the same text; 0: no Content-Length
  std::uint8_t hosts_ = 0;
  TransferCoding coding_ = TransferCoding::none;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool plain_length_ = true;
};

bool is_content_length(std::string_view name);
/// Content-Length or Transfer-Encoding: a field that decides where a message ends.
bool is_framing_field(std::string_view name);

}  // namespace sluice::wire
