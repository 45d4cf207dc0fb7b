// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cwchar>
#include <cwctype>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <idn2.h>
#include <locale.h>

#include <sluice/url.hpp>

namespace sluice {
namespace {

// ---- characters ----

/// Sets of characters, one bit each in kCharacters. "Safe" ones stand in a component as they are, all others
/// are percent-encoded; "%" is safe everywhere, so that escapes stay and are not encoded again.
enum CharacterSet : std::uint8_t {
  kSchemeSet = 1 << 0,     // what may follow the first letter (RFC 3986, 3.1)
  kUserinfoSafe = 1 << 1,  // the complements of the percent-encode sets of the WHATWG URL standard, 1.3
  kPathSafe = 1 << 2,
  kQuerySafe = 1 << 3,
  kFragmentSafe = 1 << 4,
  kHostSet = 1 << 5,     // what HTTPX leaves alone in a host; we encode no others, we refuse them
  kUnreserved = 1 << 6,  // RFC 3986, 2.3
  kControl = 1 << 7,
};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

constexpr std::uint8_t sets_of(char c) {
  auto among = [c](std::string_view characters) { return characters.find(c) != std::string_view::npos; };
  if (c < ' ' || c == 0x7f) return kControl;
  bool alphanumeric = is_digit(c) || is_letter(c);
  bool unreserved = alphanumeric || among("-._~");
  bool fragment = !among(" \"<>`");
  bool query = !among(" \"#<>");
  bool path = query && !among("?`{}");
  bool userinfo = path && !among("/;=@[\\]^|");
  bool host = unreserved || among("!$&'()*+,;=\"`{}%|\\");
  return static_cast<std::uint8_t>((alphanumeric || among("+.-") ? kSchemeSet : 0) |
                                   (userinfo ? kUserinfoSafe : 0) | (path ? kPathSafe : 0) |
                                   (query ? kQuerySafe : 0) | (fragment ? kFragmentSafe : 0) |
                                   (host ? kHostSet : 0) | (unreserved ? kUnreserved : 0));
}

constexpr std::array<std::uint8_t, 256> kCharacters = [] {
  std::array<std::uint8_t, 256> sets{};  // bytes from 0x80 up are in none
  for (unsigned c = 0; c < 0x80; ++c) sets[c] = sets_of(static_cast<char>(c));
  return sets;
}();

bool is_in(char c, CharacterSet set) {
  return (kCharacters[static_cast<unsigned char>(c)] & set) != 0;
}

/// The length of the longest prefix of `text` that consists of characters of `set`.
std::size_t prefix_in(std::string_view text, CharacterSet set) {
  std::size_t size = 0;
  while (size < text.size() && is_in(text[size], set)) ++size;
  return size;
}

std::size_t find_control(std::string_view text) {
  std::size_t position = 0;
  while (position < text.size() && !is_in(text[position], kControl)) ++position;
  return position;
}

void append_lower(detail::String& out, std::string_view text) {
  out += text;
  char* added = out.data() + (out.size() - text.size());
  std::transform(text.begin(), text.end(), added, to_lower);
}

// ---- percent-encoding (RFC 3986, 2.1) ----

void append_escape(detail::String& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_encoded(detail::String& out, std::string_view text, CharacterSet safe) {
  for (;;) {
    std::size_t run = prefix_in(text, safe);
    out.append(text.data(), run);
    if (run == text.size()) return;
    append_escape(out, text[run]);
    text.remove_prefix(run + 1);
  }
}

/// The byte that an escape at the start of `text` stands for; nothing if there is none.
std::optional<char> decode_escape(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  unsigned char byte = 0;
  auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, byte, 16);
  if (error != std::errc() || end != text.data() + 3) return std::nullopt;
  return static_cast<char>(byte);
}

std::string decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::optional<char> byte = decode_escape(text);
    out += byte.value_or(text[0]);
    text.remove_prefix(byte ? 3 : 1);
  }
  return out;
}

// ---- errors ----

Error invalid(std::string message) {
  return {ErrorKind::invalid_url, Phase::setup, std::move(message)};
}

/// Names the component, unless `url` has an "@": then it may be a part of a password that was split in the
/// wrong place ("http://user:pass/word@host").
Error invalid(std::string what, std::string_view component, std::string_view url) {
  if (url.find('@') == std::string_view::npos) what.append(": '").append(component).append("'");
  return invalid(std::move(what));
}

std::string printable(char control) {
  switch (control) {
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    default:
      break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {'\\', 'x', kDigits[static_cast<unsigned char>(control) >> 4], kDigits[control & 15]};
}

Error invalid_control(char control, std::size_t position) {
  return invalid("Invalid non-printable ASCII character in URL, '" + printable(control) + "' at position " +
                 std::to_string(position) + ".");
}

// ---- hosts ----

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr ignored{};
  return inet_pton(AF_INET6, terminated.data(), &ignored) == 1;
}

/// Four groups of digits: what must be a dotted quad to be a host at all. Others, as "127.1", are names.
bool resembles_ipv4(std::string_view host) {
  if (!is_digit(host.front()) || !is_digit(host.back())) return false;
  int dots = 0;
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (is_digit(host[i])) continue;
    if (host[i] != '.' || host[i - 1] == '.') return false;
    ++dots;
  }
  return dots == 3;
}

/// Whether none of the four groups exceeds 255 or has a leading zero, which some read as octal.
bool is_dotted_quad(std::string_view groups) {
  unsigned value = 0;
  char previous = '.';
  for (char c : groups) {
    if (c == '.') {
      value = 0;
    } else {
      bool leading_zero = previous == '0' && value == 0;
      value = value * 10 + static_cast<unsigned>(c - '0');
      if (leading_zero || value > 255) return false;
    }
    previous = c;
  }
  return true;
}

/// Escapes may stand in a host (RFC 3986, 3.2.2). Refused are those of bytes that cannot: others than we
/// might decode them, and see the host end there ("%00", "%2F", "%40").
bool has_sound_escapes(std::string_view host) {
  for (std::size_t at = host.find('%'); at != std::string_view::npos; at = host.find('%', at + 1)) {
    std::optional<char> byte = decode_escape(host.substr(at));
    if (!byte || *byte == '%' || *byte == '\\') return false;
    bool ascii = static_cast<unsigned char>(*byte) < 0x80;
    if (ascii && !is_in(*byte, kHostSet)) return false;
  }
  return true;
}

/// Sets the thread's locale to UTF-8 for the life of the object; what mbrtowc() goes by.
class Utf8Locale {
 public:
  Utf8Locale() : previous_(uselocale(get())) {}
  ~Utf8Locale() { uselocale(previous_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t get() {
    static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
    return utf8;
  }

  locale_t previous_;
};

using CodePoints = std::vector<std::uint32_t>;

/// Empty if `text` is not UTF-8.
CodePoints decode_utf8(std::string_view text) {
  CodePoints points;
  std::mbstate_t state{};
  while (!text.empty()) {
    wchar_t point = 0;
    std::size_t used = std::mbrtowc(&point, text.data(), text.size(), &state);
    if (used == 0 || used > text.size()) return {};
    points.push_back(static_cast<std::uint32_t>(point));
    text.remove_prefix(used);
  }
  return points;
}

/// Lower case: IDNA 2008 knows no capitals (RFC 5894, 4.2). The two letters that towlower() does not do
/// justice to are the sigma at the end of a word, and the dotted I, which must not turn into an ASCII letter.
CodePoints lower(const CodePoints& points) {
  auto letter_at = [&](std::size_t i) { return i < points.size() && std::iswalpha(points[i]); };
  CodePoints out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i] == 0x130) {
      out.insert(out.end(), {'i', 0x307});
    } else if (points[i] == 0x3a3 && i > 0 && letter_at(i - 1) && !letter_at(i + 1)) {
      out.push_back(0x3c2);
    } else {
      out.push_back(std::towlower(points[i]));
    }
  }
  return out;
}

struct FreeDeleter {
  void operator()(void* block) const { std::free(block); }
};
using CString = std::unique_ptr<char, FreeDeleter>;

/// Letters, digits and inner hyphens in labels that are not empty; the last may be, for the root.
bool is_letter_digit_hyphen(std::string_view host) {
  char previous = '.';
  for (char c : host) {
    bool edge = previous == '.';
    if (c == '.' ? edge || previous == '-' : c == '-' ? edge : !is_digit(c) && !is_letter(c)) return false;
    previous = c;
  }
  return previous != '-';
}

/// The ASCII form of an internationalised host, empty if it has none. IDNA 2008 without the mapping of
/// UTS 46, as in HTTPX: ß stays, characters that are merely compatible (full-width letters) and emoji are
/// refused.
std::string to_ascii(std::string_view host) {
  Utf8Locale locale;
  CodePoints points = lower(decode_utf8(host));
  for (std::uint32_t& point : points) {
    bool full_stop = point == 0x3002 || point == 0xff0e || point == 0xff61;  // RFC 3490, 3.1
    if (full_stop) point = '.';
  }
  points.push_back(0);
  char* ascii = nullptr;
  int rc = idn2_to_ascii_4z(points.data(), &ascii, IDN2_NO_TR46);
  CString owner(ascii);
  return rc == IDN2_OK && is_letter_digit_hyphen(ascii) ? ascii : "";
}

/// Appends a host in normal form; false if it is not one.
bool append_name(detail::String& out, std::string_view host) {
  if (prefix_in(host, kHostSet) != host.size() || !has_sound_escapes(host)) return false;
  append_lower(out, host);
  return true;
}

Result<void> append_host(detail::String& out, std::string_view host, std::string_view url) {
  if (host.empty()) return {};
  if (host.front() == '[') {
    bool closed = host.size() > 2 && host.back() == ']';
    if (!closed || !is_ipv6(host.substr(1, host.size() - 2)))
      return invalid("Invalid IPv6 address", host, url);
    out += host;
    return {};
  }
  std::string ascii;
  if (std::any_of(host.begin(), host.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    ascii = to_ascii(host);
    if (ascii.empty()) return invalid("Invalid IDNA hostname", host, url);
    host = ascii;
  }
  if (resembles_ipv4(host) && !is_dotted_quad(host)) return invalid("Invalid IPv4 address", host, url);
  if (!append_name(out, host)) return invalid("Invalid character in hostname", host, url);
  return {};
}

// ---- schemes and ports ----

/// The length of the scheme that `text` may begin with (RFC 3986, 3.1).
std::size_t scheme_size(std::string_view text) {
  if (text.empty() || !is_letter(text.front())) return 0;
  std::size_t size = prefix_in(text, kSchemeSet);
  return size < text.size() && text[size] == ':' ? size : 0;
}

std::uint16_t default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  return scheme == "ftp" ? 21 : 0;
}

/// Reads ":8080" (RFC 3986, 3.2.3); nothing if it is not a port.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data() + 1, last, port);
  if (text.front() != ':' || error != std::errc() || end != last) return std::nullopt;
  return port;
}

// ---- paths ----

/// Removes "." and ".." segments from the path that `text` ends with (RFC 3986, 5.2.4). One that is last
/// leaves the "/" before it.
void remove_dot_segments(detail::String& text, std::size_t path) {
  if (text.find('.', path) == detail::String::npos) return;
  const std::size_t root = text[path] == '/' ? path + 1 : path;
  std::size_t out = root;
  for (std::size_t begin = root; begin < text.size();) {
    std::size_t next = std::min(text.find('/', begin), text.size() - 1) + 1;
    std::string_view segment = std::string_view(text).substr(begin, next - begin);
    if (segment == ".." || segment == "../") {
      if (out > root) out = root + std::string_view(text).substr(root, out - root - 1).rfind('/') + 1;
    } else if (segment != "." && segment != "./") {
      std::copy(segment.begin(), segment.end(), text.begin() + static_cast<std::ptrdiff_t>(out));
      out += segment.size();
    }
    begin = next;
  }
  text.resize(out);
}

}  // namespace

// ---- parsing ----

/// The components as they are written, views into `text`.
struct Url::Components {
  Components() = default;
  explicit Components(std::string_view url);
  void split_authority(std::string_view authority);

  std::string_view text;
  std::string_view scheme;
  std::string_view userinfo;
  std::string_view host;
  std::string_view port;  // with the ":"
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;
};

/// RFC 3986, appendix B. A ":" with no scheme before it is dropped, as in HTTPX.
Url::Components::Components(std::string_view url) : text(url) {
  std::string_view rest = url;
  scheme = rest.substr(0, scheme_size(rest));
  rest.remove_prefix(scheme.size());
  if (rest.starts_with(':')) rest.remove_prefix(1);
  if (std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    std::size_t slash = std::min(rest.find('/'), rest.size());
    split_authority(rest.substr(0, slash));
    rest.remove_prefix(slash);
  }
  path = rest;
}

/// RFC 3986, 3.2. The last "@" ends the userinfo: passwords with a bare "@" are common.
void Url::Components::split_authority(std::string_view authority) {
  if (std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::size_t bracket = authority.starts_with('[') ? authority.rfind(']') : std::string_view::npos;
  std::size_t host_size = bracket != std::string_view::npos ? bracket + 1 : authority.find(':');
  host = authority.substr(0, host_size);
  port = authority.substr(host.size());
}

Result<Url> Url::parse(std::string_view text) {
  if (text.size() > kMaxLength) return invalid("URL too long");
  std::size_t control = find_control(text);
  if (control != text.size()) return invalid_control(text[control], control);
  return assemble(Components(text));
}

Result<Url> Url::assemble(const Components& components) {
  Url url;
  url.text_.reserve(components.text.size() + 2);  // "//" is written before it is known to be needed
  append_lower(url.text_, components.scheme);
  if (!components.scheme.empty()) url.text_ += ':';
  if (Result<void> done = url.append_authority(components); !done) return done.error();
  if (Result<void> done = url.append_path(components); !done) return done.error();
  url.append_query_and_fragment(components.query, components.fragment);
  return url;
}

Result<void> Url::append_authority(const Components& components) {
  layout_.authority = layout_.netloc = layout_.host_end = layout_.path = end();
  text_ += "//";
  if (!components.userinfo.empty()) {
    // WHATWG parsers take "\" for "/", and the host to end there: "http://seen.example\@taken.example/".
    if (components.userinfo.find('\\') != std::string_view::npos)
      return invalid("Invalid character in userinfo, '\\'");
    append_encoded(text_, components.userinfo, kUserinfoSafe);
    text_ += '@';
  }
  const std::uint32_t netloc = end();
  if (Result<void> done = append_host(text_, components.host, components.text); !done) return done;
  const std::uint32_t host_end = end();
  if (Result<void> done = append_port(components); !done) return done;
  if (end() == layout_.authority + 2) {
    text_.resize(layout_.authority);
    return {};
  }
  layout_.netloc = netloc;
  layout_.host_end = host_end;
  layout_.path = end();
  return {};
}

/// RFC 3986, 3.2.3 and 6.2.3: an empty port and the default of the scheme are dropped.
Result<void> Url::append_port(const Components& components) {
  if (components.port.empty() || components.port == ":") return {};
  layout_.port = parse_port(components.port);
  if (!layout_.port) {
    std::size_t colon = components.port.front() == ':' ? 1 : 0;
    return invalid("Invalid port", components.port.substr(colon), components.text);
  }
  if (*layout_.port == default_port(scheme())) {
    layout_.port.reset();
    return {};
  }
  std::array<char, 6> written{':'};
  char* last = std::to_chars(written.begin() + 1, written.end(), *layout_.port).ptr;
  text_.append(written.data(), last);
  return {};
}

/// RFC 3986, 3.3. What would turn into a scheme or an authority when the URL is read again is refused.
Result<void> Url::append_path(const Components& components) {
  append_encoded(text_, components.path, kPathSafe);
  const bool has_scheme = layout_.authority > 0;
  if (has_scheme || has_authority()) remove_dot_segments(text_, layout_.path);
  if (has_authority()) return {};
  std::string_view path = view(layout_.path, end());
  if (path.starts_with("//")) return invalid("Relative URLs cannot have a path starting with '//'");
  if (!has_scheme && (path.starts_with(':') || scheme_size(path) > 0))
    return invalid("Relative URLs cannot have a path starting with ':'");
  return {};
}

void Url::append_query_and_fragment(std::optional<std::string_view> query,
                                    std::optional<std::string_view> fragment) {
  layout_.query = end();
  if (query) {
    text_ += '?';
    append_encoded(text_, *query, kQuerySafe);
  }
  layout_.fragment = end();
  if (fragment) {
    text_ += '#';
    append_encoded(text_, *fragment, kFragmentSafe);
  }
  layout_.size = end();
  if (query && path_as_written().empty())
    text_.append("/").append(text_, layout_.query, layout_.fragment - layout_.query);
}

// ---- components ----

std::string_view Url::scheme() const noexcept {
  return layout_.authority == 0 ? std::string_view() : view(0, layout_.authority - 1);
}

std::string_view Url::userinfo() const noexcept {
  if (layout_.netloc <= layout_.authority + 2) return {};
  return view(layout_.authority + 2, layout_.netloc - 1);
}

std::string Url::username() const {
  std::string_view all = userinfo();
  return decoded(all.substr(0, all.find(':')));
}

std::string Url::password() const {
  std::string_view all = userinfo();
  std::size_t colon = all.find(':');
  return colon == std::string_view::npos ? std::string() : decoded(all.substr(colon + 1));
}

std::string Url::host() const {
  std::string ascii(raw_host());
  if (!ascii.starts_with("xn--")) return ascii;
  char* unicode = nullptr;
  int rc = idn2_to_unicode_8z8z(ascii.c_str(), &unicode, IDN2_NO_TR46);
  CString owner(unicode);
  if (rc != IDN2_OK || to_ascii(unicode) != ascii) return ascii;  // decoding alone checks next to nothing
  return unicode;
}

std::string_view Url::raw_host() const noexcept {
  std::string_view host = view(layout_.netloc, layout_.host_end);
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

std::optional<std::uint16_t> Url::port() const noexcept {
  return layout_.port;
}

std::uint16_t Url::effective_port() const noexcept {
  return layout_.port.value_or(default_port(scheme()));
}

std::string_view Url::netloc() const noexcept {
  return view(layout_.netloc, layout_.path);
}

std::string Url::path() const {
  std::string_view written = path_as_written();
  return written.empty() ? "/" : decoded(written);
}

std::string_view Url::raw_path() const noexcept {
  if (!path_as_written().empty()) return view(layout_.path, layout_.fragment);
  return has_query() ? view(layout_.size, end()) : "/";
}

std::optional<std::string_view> Url::written_query() const noexcept {
  if (!has_query()) return std::nullopt;
  return view(layout_.query + 1, layout_.fragment);
}

std::optional<std::string_view> Url::written_fragment() const noexcept {
  if (layout_.fragment == layout_.size) return std::nullopt;
  return view(layout_.fragment + 1, layout_.size);
}

std::string_view Url::query() const noexcept {
  return written_query().value_or("");
}

std::string_view Url::fragment() const noexcept {
  return written_fragment().value_or("");
}

bool Url::is_absolute() const noexcept {
  return layout_.authority > 0 && layout_.netloc != layout_.host_end;
}

// ---- derived URLs ----

/// RFC 3986, 5.2.2. The target is put together from components, not from text: a merged path that begins with
/// "//" must not be read as an authority.
Result<Url> Url::join(std::string_view reference) const {
  Result<Url> parsed = parse(reference);
  if (!parsed || (!parsed->scheme().empty() && parsed->scheme() != scheme())) return parsed;
  const Url& other = *parsed;
  if (other.str().empty()) return *this;

  const Url& authority = other.has_authority() ? other : *this;
  const bool same_document = !other.has_authority() && other.path_as_written().empty();
  const detail::String path =
      other.has_authority() ? detail::String(other.path_as_written()) : resolve(other);
  Components target;
  target.scheme = scheme();
  target.userinfo = authority.userinfo();
  target.host = authority.view(authority.layout_.netloc, authority.layout_.host_end);
  target.port = authority.view(authority.layout_.host_end, authority.layout_.path);
  target.path = path;
  target.query = same_document && !other.has_query() ? written_query() : other.written_query();
  target.fragment = other.written_fragment();
  Result<Url> joined = assemble(target);
  if (joined && joined->str().size() > kMaxLength) return invalid("URL too long");
  return joined;
}

/// The path of a reference without authority, merged with the path of this URL (RFC 3986, 5.2.3).
detail::String Url::resolve(const Url& reference) const {
  const std::string_view base = path_as_written();
  const std::string_view path = reference.path_as_written();
  if (path.empty()) return detail::String(base);
  detail::String merged;
  if (!path.starts_with('/')) {
    merged = base.empty() && has_authority() ? "/" : base.substr(0, base.rfind('/') + 1);
  }
  merged += path;
  remove_dot_segments(merged, 0);
  return merged;
}

Url Url::with_query(std::optional<std::string_view> query) const {
  if (query && query->size() > kMaxLength) invalid("URL component 'query' too long").raise();
  Url url;
  url.layout_ = layout_;
  url.text_.reserve(layout_.size + (query ? query->size() + 1 : 0));
  url.text_ = view(0, layout_.query);
  url.append_query_and_fragment(query, written_fragment());
  return url;
}

// ---- query parameters ----

namespace {

void append_form_encoded(detail::String& out, std::string_view text) {
  for (;;) {
    std::size_t blank = std::min(text.find(' '), text.size());
    append_encoded(out, text.substr(0, blank), kUnreserved);
    if (blank == text.size()) return;
    out += '+';
    text.remove_prefix(blank + 1);
  }
}

}  // namespace

void append_query_parameter(detail::String& query, std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  append_form_encoded(query, name);
  query += '=';
  append_form_encoded(query, value);
}

}  // namespace sluice
