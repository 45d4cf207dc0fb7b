// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace sluice {

/// What ends a line of a body's text. No end is part of a line, and none makes an empty last line.
enum class LineMode : std::uint8_t {
  /// Every line end of Unicode, as HTTPX and Python's str.splitlines have it: LF, CR, CRLF, VT, FF, FS, GS,
  /// RS,
  /// NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR.
  universal,
  /// LF alone. A CR before it stays in the line.
  lf,
  /// CRLF alone. A CR or LF by itself stays in the line.
  crlf,
  /// LF, CR or CRLF; a byte order mark at the very start is dropped (WHATWG HTML, 9.2.6, event streams).
  sse,
  /// LF or CRLF; lines of nothing but blanks are left out (newline delimited JSON).
  ndjson,
};

/// One link of a Link field: its target as "url", its parameters by their names, such as "rel" and "type".
using Link = std::map<std::string, std::string, std::less<>>;

/// The links of a response by their "rel", or by their "url" where they have none. The last of several wins.
using Links = std::map<std::string, Link, std::less<>>;

}  // namespace sluice
