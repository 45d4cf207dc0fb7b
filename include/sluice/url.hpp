// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sluice/detail/memory.hpp>
#include <sluice/result.hpp>

namespace sluice {

/// A URL, parsed and normalised as HTTPX does it (RFC 3986 with WHATWG percent-encode sets), with the
/// deviations that docs/httpx.md lists. Immutable but for assignment; copies are cheap (one recycled block).
///
/// Normalised means: scheme and host in lower case, the default port of the scheme dropped, dot segments
/// removed, what may not stand in a component percent-encoded. Escapes (%XX) stay as they are written.
///
/// Views that it returns live as long as the Url is neither changed nor moved from. A Url that was moved from
/// is the empty relative URL.
class Url {
 public:
  static constexpr std::size_t kMaxLength = 65536;  ///< bytes of a whole URL

  /// The empty relative URL.
  Url() = default;
  /// Parses or throws InvalidURL.
  explicit Url(std::string_view text) : Url(parse(text).value()) {}
  Url(const Url&) = default;
  Url& operator=(const Url&) = default;
  Url(Url&& other) noexcept
      : text_(std::move(other.text_)), layout_(std::exchange(other.layout_, Layout{})) {}
  Url& operator=(Url&& other) noexcept {
    text_ = std::move(other.text_);
    layout_ = std::exchange(other.layout_, Layout{});
    return *this;
  }
  ~Url() = default;

  /// Parses an absolute or relative URL. Errors: invalid_url, the message names what and where.
  static Result<Url> parse(std::string_view text);

  std::string_view str() const noexcept { return view(0, layout_.size); }
  std::string_view scheme() const noexcept;    ///< lower case, "" if relative
  std::string_view userinfo() const noexcept;  ///< percent-encoded
  std::string username() const;                ///< decoded
  std::string password() const;                ///< decoded
  /// IPv6 without brackets; IDNA as Unicode if the first label is internationalised, as in HTTPX. A host
  /// whose xn-- labels mean nothing is given as it is.
  std::string host() const;
  std::string_view raw_host() const noexcept;          ///< ASCII: IDNA as xn--, IPv6 without brackets
  std::optional<std::uint16_t> port() const noexcept;  ///< none if absent or the scheme's default
  std::uint16_t effective_port() const noexcept;       ///< port(), else the default of the scheme, else 0
  std::string_view netloc() const noexcept;    ///< host and port as for a Host field, IPv6 in brackets
  std::string path() const;                    ///< decoded, never empty
  std::string_view raw_path() const noexcept;  ///< path and query as for a request target, never empty
  std::string_view query() const noexcept;     ///< without "?", percent-encoded
  std::string_view fragment() const noexcept;  ///< without "#", percent-encoded
  bool is_absolute() const noexcept;           ///< has scheme and host

  /// Reference resolution (RFC 3986, 5.2) of `reference` against this URL, as HTTPX's URL.join: a reference
  /// with the scheme of this URL and no authority counts as relative ("http:g"), an empty one is this URL.
  Result<Url> join(std::string_view reference) const;
  /// This URL with its query replaced; `query` is already encoded (what may not stand in a query is encoded
  /// nevertheless). nullopt removes "?" as well. Throws InvalidURL if `query` is longer than kMaxLength.
  Url with_query(std::optional<std::string_view> query) const;

  friend bool operator==(const Url& a, const Url& b) noexcept { return a.str() == b.str(); }

 private:
  struct Components;

  // Where the components begin in text_; each ends where the next begins, its delimiter included:
  //   https: //user:password@ example.org :8443 /path ?query #fragment
  //          authority        netloc  host_end  path  query  fragment  size
  struct Layout {
    std::uint32_t authority = 0;
    std::uint32_t netloc = 0;
    std::uint32_t host_end = 0;
    std::uint32_t path = 0;
    std::uint32_t query = 0;
    std::uint32_t fragment = 0;
    std::uint32_t size = 0;
    std::optional<std::uint16_t> port;
  };

  static Result<Url> assemble(const Components& components);
  Result<void> append_authority(const Components& components);
  Result<void> append_port(const Components& components);
  Result<void> append_path(const Components& components);
  void append_query_and_fragment(std::optional<std::string_view> query,
                                 std::optional<std::string_view> fragment);
  detail::String resolve(const Url& reference) const;
  std::optional<std::string_view> written_query() const noexcept;     // nothing: not even a "?"
  std::optional<std::string_view> written_fragment() const noexcept;  // nothing: not even a "#"
  std::uint32_t end() const noexcept { return static_cast<std::uint32_t>(text_.size()); }
  bool has_authority() const noexcept { return layout_.authority != layout_.path; }
  bool has_query() const noexcept { return layout_.query != layout_.fragment; }
  std::string_view path_as_written() const noexcept { return view(layout_.path, layout_.query); }
  std::string_view view(std::uint32_t first, std::uint32_t last) const noexcept {
    return {text_.data() + first, last - first};
  }

  detail::String text_;  // the URL; after it, if it has a query but no path, the request target "/?query"
  Layout layout_;
};

/// Appends `name=value` to a query string in application/x-www-form-urlencoded form (HTTPX's QueryParams: `+`
/// for a blank, upper-case %XX), with `&` before it unless `query` is empty.
void append_query_parameter(detail::String& query, std::string_view name, std::string_view value);

}  // namespace sluice
