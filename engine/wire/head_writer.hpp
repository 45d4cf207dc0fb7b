// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include <sluice/detail/memory.hpp>
#include <sluice/headers.hpp>

#include "engine/wire/framing.hpp"

namespace sluice::wire {

/// Why these fields may not go on the wire, or nullptr: a name that is no token, a control character in a
/// value, blanks around it, framing that contradicts itself. `framing` receives what they say of framing and
/// routing.
const char* fields_fault(const Headers& headers, FramingFields& framing);

/// Appends a head to a string that grows once, by the size of the whole head.
class HeadWriter {
 public:
  HeadWriter(detail::String& out, std::size_t start_line_size, const Headers& headers);

  HeadWriter& put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  /// The fields and the blank line.
  void put_fields() { put(headers_.lines()).put(kBlankLine); }

 private:
  static constexpr std::string_view kBlankLine = "\r\n";

  const Headers& headers_;
  char* at_;
};

}  // namespace sluice::wire
