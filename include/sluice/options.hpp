// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sluice/detail/timer.hpp>
#include <sluice/headers.hpp>
#include <sluice/tls.hpp>
#include <sluice/url.hpp>

namespace sluice {

namespace detail {
class ClientCore;
struct DefaultEncoding;
}  // namespace detail

/// A timeout that never expires.
inline constexpr Duration kNoTimeout = Duration::max();
/// A timeout that is not stated: the client's counts, and for the client itself 5 seconds.
inline constexpr Duration kDefaultTimeout = Duration::min();
/// A limit that is none.
inline constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

inline constexpr std::uint64_t kUnlimitedBytes = std::numeric_limits<std::uint64_t>::max();

/// The four timeouts of HTTPX: of each phase, not of the whole request. Trivially copyable, so that
/// `.timeout({.read = 30s})` may stand in an awaited expression. For a limit on the whole, use
/// with_timeout().
struct Timeout {
  Duration connect = kDefaultTimeout;  ///< name to addresses, connecting to any of them, TLS handshake
  Duration read = kDefaultTimeout;     ///< each wait for bytes of the response
  Duration write = kDefaultTimeout;    ///< sending the request
  Duration pool = kDefaultTimeout;     ///< waiting for a connection

  /// The same for all four.
  static constexpr Timeout all(Duration duration) { return {duration, duration, duration, duration}; }
};
static_assert(std::is_trivially_copyable_v<Timeout>);

/// How many connections a client keeps. HTTPX's defaults.
struct Limits {
  std::uint32_t max_connections =
      100;  ///< open at the same time; further requests wait, first come first served
  std::uint32_t max_keepalive_connections = 20;  ///< idle at the same time
  Duration keepalive_expiry =
      std::chrono::seconds(5);  ///< an idle connection is closed after so long; kNoTimeout: never
};
static_assert(std::is_trivially_copyable_v<Limits>);

/// What a server may make a client hold.
struct ReceiveLimits {
  std::uint32_t max_head_bytes = 100 * 1024;
  std::uint32_t max_header_count = 256;
  std::uint32_t max_informational_responses = 16;  ///< 1xx responses before the final one
  std::uint64_t max_buffered_body_bytes =
      std::uint64_t{256} * 1024 * 1024;  ///< of a response that is not streamed, decoded
  std::uint64_t max_decoded_body_bytes =
      kUnlimitedBytes;                     ///< of any response, with its content codings undone
  std::uint32_t max_decoding_ratio = 250;  ///< decoded to coded bytes beyond the first 32 MiB; 0: any
  std::uint32_t max_content_codings = 5;   ///< one in the other
  std::uint64_t max_line_bytes = std::uint64_t{64} * 1024 * 1024;  ///< of a line of iter_lines()
  /// Received bytes that wait for their readers, over all connections of the client. At the limit each
  /// connection receives only what its reader asks for, and TCP holds the servers back.
  std::uint64_t max_queued_bytes = std::uint64_t{64} * 1024 * 1024;
  std::uint32_t high_water_bytes =
      2 * 1024 * 1024;                         ///< one connection stops receiving at so many unread bytes
  std::uint32_t low_water_bytes = 512 * 1024;  ///< and goes on when no more than this is left
};
static_assert(std::is_trivially_copyable_v<ReceiveLimits>);

/// What is left of a body when its response is closed may be thrown away, so that the connection can be kept.
struct Drain {
  std::uint64_t max_bytes = 0;  ///< more than this, or an unknown size: the connection is closed
  Duration max_time = std::chrono::milliseconds(100);
};
static_assert(std::is_trivially_copyable_v<Drain>);

/// The settings of a client. Setters return the object, so that options can be written in one expression.
class ClientOptions {
 public:
  /// Relative URLs of requests are appended to it (HTTPX's rule, not RFC 3986 resolution). Throws InvalidURL
  /// when it is not absolute or has a query.
  ClientOptions& base_url(std::string_view url);
  /// A field that every request carries unless it states the name itself. Replaces the default of that name.
  ClientOptions& header(std::string_view name, std::string_view value);
  /// Takes away a default field (Accept, Accept-Encoding, Connection, User-Agent).
  ClientOptions& without_header(std::string_view name);
  /// A query parameter of every request; a request's own parameters of that name replace it. Parameters, of
  /// client or request, replace the query that stands in the URL (HTTPX's rule).
  ClientOptions& query(std::string_view name, std::string_view value);
  ClientOptions& timeout(Timeout timeout);
  /// The same for all four phases.
  ClientOptions& timeout(Duration duration) { return timeout(Timeout::all(duration)); }
  ClientOptions& limits(Limits limits);
  ClientOptions& receive_limits(ReceiveLimits limits);
  /// Whether redirects are followed; by default they are given to the caller, as in HTTPX.
  ClientOptions& follow_redirects(bool follow);
  /// How many a request follows; one more is TooManyRedirects. HTTPX's default: 20.
  ClientOptions& max_redirects(std::uint32_t count);
  /// What StreamingResponse::close() does with the rest of a body. By default the connection is closed.
  ClientOptions& drain(Drain drain);
  /// The encoding of text whose response names none that is known; by default "utf-8".
  ClientOptions& default_encoding(std::string_view name);
  /// The same, found by a function that is given the content. It is asked only when the body has been read as
  /// a whole, and may be called on any thread that holds a response.
  ClientOptions& default_encoding(std::function<std::string(std::string_view)> detect);
  /// How https is spoken; by default as the default context of the process says.
  ClientOptions& tls(TlsContext context);
  /// Connects to a unix socket whatever the URL's host and port are. A leading "@" means the abstract
  /// namespace.
  ClientOptions& unix_socket(std::string_view path);

 private:
  friend class detail::ClientCore;

  Url base_url_;
  Headers headers_ = default_headers();
  std::vector<std::pair<std::string, std::string>> parameters_;
  Timeout timeout_;
  Limits limits_;
  ReceiveLimits receive_limits_;
  Drain drain_;
  bool follow_redirects_ = false;
  std::uint32_t max_redirects_ = 20;
  std::shared_ptr<const detail::DefaultEncoding> default_encoding_;
  std::string unix_socket_;
  TlsContext tls_;

  static Headers default_headers();
};

}  // namespace sluice
