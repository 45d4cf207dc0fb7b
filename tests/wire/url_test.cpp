// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sluice/url.hpp>

#include "engine/base/compiler.hpp"

namespace {
std::size_t plain_allocations = 0;
}

// Recycled memory does not come from operator new, so this counts what does not come from recycled memory.
// Not inlined, or GCC takes free() for a mismatch with new.
SLUICE_NOINLINE void* operator new(std::size_t bytes) {
  ++plain_allocations;
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}
SLUICE_NOINLINE void operator delete(void* block) noexcept {
  std::free(block);
}
SLUICE_NOINLINE void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace sluice {
namespace {

using nlohmann::json;

/// Rows recorded from HTTPX 0.28.
json rows(const std::string& file) {
  std::ifstream stream(SLUICE_TEST_DATA_DIR "/" + file);
  EXPECT_TRUE(stream) << file;
  return json::parse(stream);
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<std::string> error_of(std::string_view text) {
  Result<Url> url = Url::parse(text);
  if (url) return std::nullopt;
  EXPECT_EQ(url.error().kind(), ErrorKind::invalid_url);
  return url.error().what();
}

void expect_row(const Url& url, const json& row) {
  EXPECT_EQ(url.str(), row["str"]);
  EXPECT_EQ(url.scheme(), row["scheme"]);
  EXPECT_EQ(url.userinfo(), row["userinfo"]);
  EXPECT_EQ(url.host(), row["host"]);
  EXPECT_EQ(url.raw_host(), row["raw_host"]);
  EXPECT_EQ(url.port() ? json(*url.port()) : json(nullptr), row["port"]);
  EXPECT_EQ(url.netloc(), row["netloc"]);
  EXPECT_EQ(url.raw_path(), row["raw_path"]);
  EXPECT_EQ(url.query(), row["query"]);
  EXPECT_EQ(decoded(url.fragment()), row["fragment"]);
  EXPECT_EQ(!url.is_absolute(), row["relative"]);
}

/// Where we differ from HTTPX on purpose: members that replace those of the row.
const std::map<std::string, json>& deviations() {
  static const std::map<std::string, json> all = {
      // Ports are ASCII digits, up to 65535.
      {"https://example.com:65536/", {{"error", "InvalidURL: Invalid port: '65536'"}}},
      {"https://example.com: 80/", {{"error", "InvalidURL: Invalid port: ' 80'"}}},
      // RFC 3986, 5.2.4: a last ".." leaves the "/" before it.
      {"https://example.com/a/..", {{"str", "https://example.com/"}}},
      // host() does not fail.
      {"https://xn--a.com/", {{"host", "xn--a.com"}}},
  };
  return all;
}

TEST(Url, ParsesAsRecorded) {
  std::size_t deviating = 0;
  for (json row : rows("url.json")) {
    std::string input = row["input"];
    if (auto ours = deviations().find(input); ours != deviations().end()) {
      row.update(ours->second);
      ++deviating;
    }
    if (input == "<65536 chars>") {
      input = "https://example.com/";
      input.resize(Url::kMaxLength, 'a');
      row["str"] = input;
      row["raw_path"] = input.substr(std::string("https://example.com").size());
    }
    SCOPED_TRACE(input.substr(0, 100));
    Result<Url> url = Url::parse(input);
    if (row.contains("error")) {
      ASSERT_FALSE(url);
      EXPECT_EQ(url.error().kind(), ErrorKind::invalid_url);
      EXPECT_EQ(url.error().what(), row["error"]);
    } else {
      ASSERT_TRUE(url) << url.error().what();
      expect_row(*url, row);
      EXPECT_EQ(Url(url->str()), *url);
    }
  }
  EXPECT_EQ(deviating, deviations().size());
}

TEST(Url, JoinsAsRecorded) {
  for (const json& row : rows("url_join.json")) {
    SCOPED_TRACE(row.dump());
    EXPECT_EQ(Url(row["base"].get<std::string>()).join(row["ref"].get<std::string>())->str(), row["result"]);
  }
}

/// How HTTPX turns a JSON value into text.
std::string parameter_text(const json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

TEST(Url, QueryParametersAreEncodedAsRecorded) {
  for (const json& row : rows("params.json")) {
    SCOPED_TRACE(row.dump());
    detail::String query;
    for (const auto& [name, value] : row["params"].items()) {
      for (const json& one : value.is_array() ? value : json::array({value}))
        append_query_parameter(query, name, parameter_text(one));
    }
    Url url(row["url"].get<std::string>());
    Url changed = query.empty() ? url.with_query(std::nullopt) : url.with_query(query);
    EXPECT_EQ(changed.str(), row["result"]);
  }
}

// The client appends to the base URL by its raw_path; here, that a Url gives and takes what this needs.
TEST(Url, PartsOfABaseUrlCanBeMergedAsRecorded) {
  for (const json& row : rows("base_url_merge.json")) {
    Url base(row["base_url"].get<std::string>());
    Url url(row["url"].get<std::string>());
    if (!base.query().empty()) continue;  // such a base URL is refused by the client
    SCOPED_TRACE(row.dump());
    std::string merged(url.str());
    if (base.is_absolute() && !url.is_absolute()) {
      merged = std::string(base.scheme()) + "://" + std::string(base.netloc()) + std::string(base.raw_path());
      if (merged.back() != '/') merged += '/';
      std::string_view path = url.raw_path();
      merged += path.substr(std::min(path.find_first_not_of('/'), path.size()));
    }
    EXPECT_EQ(Url(merged).str(), row["result"]);
  }
}

TEST(Url, EmptyAndMovedFromUrlsAreTheEmptyRelativeUrl) {
  Url url("http://user:pw@example.org:81/path?query#fragment");
  Url moved = std::move(url);
  EXPECT_EQ(moved.str(), "http://user:pw@example.org:81/path?query#fragment");
  for (const Url& empty : {Url(), url}) {  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(empty.str(), "");
    EXPECT_EQ(empty.scheme(), "");
    EXPECT_EQ(empty.userinfo(), "");
    EXPECT_EQ(empty.netloc(), "");
    EXPECT_EQ(empty.raw_path(), "/");
    EXPECT_EQ(empty.path(), "/");
    EXPECT_EQ(empty.query(), "");
    EXPECT_EQ(empty.fragment(), "");
    EXPECT_FALSE(empty.is_absolute());
  }
  url = moved;
  EXPECT_EQ(url, moved);
  moved = std::move(url);
  EXPECT_EQ(moved.fragment(), "fragment");
}

TEST(Url, DecodesUsernamePasswordAndPath) {
  Url url("https://jo%40mail.com:a%20b:c%C3%A9@h/pa%20th%2f%zz%");
  EXPECT_EQ(url.username(), "jo@mail.com");
  EXPECT_EQ(url.password(), "a b:c\u00e9");
  EXPECT_EQ(url.path(), "/pa th/%zz%");
  EXPECT_EQ(Url("https://jo@h").username(), "jo");
  EXPECT_EQ(Url("https://jo@h").password(), "");
}

TEST(Url, RawPathOfAnEmptyPathIsTheRoot) {
  EXPECT_EQ(Url("http://h").raw_path(), "/");
  Url url("http://h?a=1#f");
  EXPECT_EQ(url.str(), "http://h?a=1#f");
  EXPECT_EQ(url.raw_path(), "/?a=1");
  EXPECT_EQ(Url(url).raw_path(), "/?a=1");
  EXPECT_EQ(url, Url("http://h?a=1#f"));
}

TEST(Url, DropsTheDefaultPortWhateverTheCaseOfTheScheme) {
  EXPECT_EQ(Url("HTTP://h:80/").str(), "http://h/");
  EXPECT_EQ(Url("Https://H:00443/").netloc(), "h");
  EXPECT_EQ(Url("https://h:80/").netloc(), "h:80");
  EXPECT_EQ(Url("ftp://h:21").str(), "ftp://h");
  EXPECT_EQ(Url("ws://h:80").str(), "ws://h");
  EXPECT_EQ(Url("other://h:80").port(), 80);
}

TEST(Url, EffectivePortFallsBackToTheScheme) {
  EXPECT_EQ(Url("http://h:8080").effective_port(), 8080);
  EXPECT_EQ(Url("http://h").effective_port(), 80);
  EXPECT_EQ(Url("wss://h").effective_port(), 443);
  EXPECT_EQ(Url("ftp://h").effective_port(), 21);
  EXPECT_EQ(Url("other://h").effective_port(), 0);
}

TEST(Url, RefusesPortsThatAreNone) {
  EXPECT_EQ(Url("http://h:0/").port(), 0);
  EXPECT_EQ(Url("http://h:65535/").port(), 65535);
  for (const char* port : {"-1", "+80", "65536", "4294967376", "18446744073709551696", "8 0", "80 ", "8_0",
                           "0x50", "\u0668\u0660", "80:80", ":80", "a"}) {
    SCOPED_TRACE(port);
    EXPECT_EQ(error_of("http://h:" + std::string(port) + "/"),
              "InvalidURL: Invalid port: '" + std::string(port) + "'");
  }
  EXPECT_TRUE(error_of("http://[::1]80/"));
}

TEST(Url, RemovesDotSegments) {
  const std::map<std::string, std::string> paths = {
      {"/a/..", "/"},       {"/a/.", "/a/"},  {"/a/b/..", "/a/"},       {"/.", "/"},
      {"/..", "/"},         {"/../a", "/a"},  {"/a//../b", "/a/b"},     {"/..a/.b", "/..a/.b"},
      {"/a/...", "/a/..."}, {"//..//", "//"}, {"/a/./b/../../c", "/c"}, {"/a/%2e%2E", "/a/%2e%2E"},
  };
  for (const auto& [written, normal] : paths) {
    EXPECT_EQ(Url("http://h" + written + "?/../x#/../y").str(), "http://h" + normal + "?/../x#/../y")
        << written;
  }
  EXPECT_EQ(Url("scheme:a/../b/..").str(), "scheme:");
  EXPECT_EQ(Url("a/../b").str(), "a/../b") << "a relative path is left for join() to resolve";
}

TEST(Url, EncodesPerComponentAndKeepsEscapes) {
  EXPECT_EQ(Url("http://h/ \"<>`{}\\^|[]%41%4").raw_path(), "/%20%22%3C%3E%60%7B%7D\\^|[]%41%4");
  EXPECT_EQ(Url("http://h/? \"<>`{}\\^|'").query(), "%20%22%3C%3E`{}\\^|'");
  EXPECT_EQ(Url("http://h/# \"<>`{}#?").fragment(), "%20%22%3C%3E%60{}#?");
  EXPECT_EQ(Url("http://a;=[]^|\"`{}%20@h/").userinfo(), "a%3B%3D%5B%5D%5E%7C%22%60%7B%7D%20");
  EXPECT_EQ(Url("/\u00e9?\u00e9#\u00e9").str(), "/%C3%A9?%C3%A9#%C3%A9");
}

TEST(Url, RefusesControlCharactersEverywhere) {
  using namespace std::string_view_literals;
  EXPECT_EQ(error_of("http://h/\r\nHost: other"),
            "InvalidURL: Invalid non-printable ASCII character in URL, '\\r' at position 9.");
  EXPECT_EQ(error_of("http://h\0/"sv),
            "InvalidURL: Invalid non-printable ASCII character in URL, '\\x00' at position 8.");
  for (char control : "\1\t\n\v\f\r\x1f\x7f"sv) {
    for (std::string url : {"?http://u@h:1/p?q#f", "http://?u@h:1/p?q#f", "http://u@?h:1/p",
                            "http://u@h:?1/p", "http://u@h:1/p?", "http://u@h:1/p#f?"}) {
      url[url.find('?')] = control;
      EXPECT_TRUE(error_of(url)) << url;
    }
  }
}

TEST(Url, RefusesHostsThatOthersReadDifferently) {
  for (const char* url : {"http:// h/",
                          "http://h /",
                          "http://a b/",
                          "http://%20h/",
                          "http://a%00b/",
                          "http://a%2fb/",
                          "http://a%40b/",
                          "http://a%5Cb/",
                          "http://a%/",
                          "http://a%4/",
                          "http://a%zz/",
                          "http://a%25b/",
                          "http://a<b/",
                          "http://a^b/",
                          "http://[/",
                          "http://]/",
                          "http://[]/",
                          "http://a[::1]/",
                          "http://[::1",
                          "http://[::1%25eth0]/",
                          "http://[fe80::1%eth0]/",
                          "http://[1::2::3]/",
                          "http://[::1.2.3]/",
                          "http://[::1]]/",
                          "http://[[::1]/",
                          "http://seen.example\\@taken.example/"}) {
    EXPECT_TRUE(error_of(url)) << url;
  }
  EXPECT_EQ(Url("http://Ex%41mple/").raw_host(), "ex%41mple");
  EXPECT_EQ(Url("http://!\"$&'()*+,-.;=_`{}~/").raw_host(), "!\"$&'()*+,-.;=_`{}~");
}

TEST(Url, TheLastAtSignEndsTheUserinfo) {
  Url url("http://seen.example@middle.example@taken.example/a@b");
  EXPECT_EQ(url.raw_host(), "taken.example");
  EXPECT_EQ(url.userinfo(), "seen.example%40middle.example");
  EXPECT_EQ(Url("http://h/@other").raw_host(), "h");
  EXPECT_EQ(Url("http://h?@other").raw_host(), "h");
  EXPECT_EQ(Url("http://h#@other").raw_host(), "h");
}

TEST(Url, Ipv4IsADottedQuadOrAName) {
  for (const char* host : {"0.0.0.0", "255.255.255.255", "10.20.30.40", "127.1", "0x7f.1", "2130706433",
                           "1.2.3.4.5", "1.2.3.4.", "1..2.3"}) {
    EXPECT_EQ(Url("http://" + std::string(host)).raw_host(), host);
  }
  for (const char* host : {"256.0.0.1", "1.2.3.256", "01.2.3.4", "1.2.3.00", "1.2.3.99999999999999999999"})
    EXPECT_TRUE(error_of("http://" + std::string(host))) << host;
}

TEST(Url, InternationalHosts) {
  EXPECT_EQ(Url("http://M\u00dcLLER.de/").raw_host(), "xn--mller-kva.de");
  EXPECT_EQ(Url("http://m\u00fcller.de/").host(), "m\u00fcller.de");
  EXPECT_EQ(Url("http://a.\u4e2d\u56fd/").host(), "a.xn--fiqs8s") << "decoded only if it begins with xn--";
  EXPECT_EQ(Url("http://\u4e2d\u3002\u56fd\uff0ea\uff61b/").raw_host(), "xn--fiq.xn--vcs.a.b");
  EXPECT_EQ(Url("http://\u0392\u038c\u039b\u039f\u03a3.com").raw_host(), "xn--nxasmm1c.com") << "final sigma";
  EXPECT_EQ(Url("http://\u0130.com").raw_host(), "xn--i-9bb.com") << "not i.com";
  EXPECT_EQ(Url("http://127\u30020\u30020\u30021/").raw_host(), "127.0.0.1");
  for (const char* host :
       {"a b.\u4e2d", "a_b.\u4e2d", "-a.\u4e2d", "a-.\u4e2d", "a..\u4e2d", ".\u4e2d", "a%41.\u4e2d",
        "a\\.\u4e2d", "xn--a.\u4e2d", "u\u0308.de", "\xff.com", "\xc0\xaf.com", "\xed\xa0\x80.com",
        "\u0663.com", "a\u200db.com", "\u00a0.com", "\u2100.com", "01\u30022\u30023\u30024"}) {
    EXPECT_TRUE(error_of("http://" + std::string(host))) << host;
  }
}

TEST(Url, RefusesWhatWouldReadDifferentlyTheSecondTime) {
  EXPECT_EQ(error_of("////x"), "InvalidURL: Relative URLs cannot have a path starting with '//'");
  EXPECT_TRUE(error_of("https:////x"));
  EXPECT_TRUE(error_of("https:/.//x"));
  EXPECT_EQ(error_of("::x"), "InvalidURL: Relative URLs cannot have a path starting with ':'");
  EXPECT_TRUE(error_of(":a:b"));
  EXPECT_FALSE(Url("x:/a").join(".//b"));
  EXPECT_FALSE(Url("a").join("./b:c"));
}

TEST(Url, LimitsTheLength) {
  std::string text(Url::kMaxLength, 'a');
  EXPECT_EQ(Url(text).str(), text);
  EXPECT_EQ(error_of(text + "a"), "InvalidURL: URL too long");
  EXPECT_FALSE(Url("http://h/").join(text));
  EXPECT_THROW((void)Url("http://h/").with_query(text + "a"), InvalidURL);
}

TEST(Url, MessagesHoldNoPartOfAPassword) {
  for (const char* url : {"http://user:secret/word@h/", "http://user:secret?@h/", "http://u:secret\\@h/",
                          "http://[secret]:x/@h", "http://secret^/@h"}) {
    std::optional<std::string> error = error_of(url);
    ASSERT_TRUE(error) << url;
    EXPECT_EQ(error->find("secret"), std::string::npos) << *error;
  }
}

TEST(Url, ThrowsInvalidUrl) {
  EXPECT_THROW(Url("http://h:x/"), InvalidURL);
}

// RFC 3986, 5.4.
TEST(Url, JoinsAsInTheRfc) {
  const Url base("http://a/b/c/d;p?q");
  const std::map<std::string, std::string> references = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"", "http://a/b/c/d;p?q"},
      {"./", "http://a/b/c/"},
      {"../..", "http://a/"},
      {"../../../../g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"http:g", "http://a/b/c/g"},
  };
  for (const auto& [reference, target] : references)
    EXPECT_EQ(base.join(reference)->str(), target) << reference;
}

TEST(Url, JoinKeepsAuthorityAndReplacesTheRest) {
  const Url base("https://u:p@[::1]:8443?q#f");
  EXPECT_EQ(base.join("x")->str(), "https://u:p@[::1]:8443/x");
  EXPECT_EQ(base.join("#g")->str(), "https://u:p@[::1]:8443?q#g");
  EXPECT_EQ(base.join("")->str(), base.str());
  EXPECT_EQ(base.join("?")->raw_path(), "/?");
  EXPECT_EQ(base.join("//h:443/y")->str(), "https://h/y");
  EXPECT_EQ(base.join("https://:443/")->str(), "https://u:p@[::1]:8443/");
  EXPECT_EQ(base.join("http://:80/")->str(), "http:/");
  EXPECT_EQ(base.join("\\b")->raw_path(), "/\\b");
  EXPECT_EQ(Url("/a/b/").join("../c")->str(), "/a/c");
  EXPECT_FALSE(base.join("http://h:x/"));
}

TEST(Url, WithQueryReplacesOnlyTheQuery) {
  const Url url("http://u@h:81/p?a=1#f");
  EXPECT_EQ(url.with_query("b=2").str(), "http://u@h:81/p?b=2#f");
  EXPECT_EQ(url.with_query("").str(), "http://u@h:81/p?#f");
  EXPECT_EQ(url.with_query("").raw_path(), "/p?");
  EXPECT_EQ(url.with_query(std::nullopt).str(), "http://u@h:81/p#f");
  EXPECT_EQ(url.with_query(std::nullopt).port(), 81);
  EXPECT_EQ(url.with_query("a#b c\r\n").str(), "http://u@h:81/p?a%23b%20c%0D%0A#f");
  EXPECT_EQ(Url("http://h").with_query("a").raw_path(), "/?a");
  EXPECT_EQ(Url("http://h?a").with_query(std::nullopt).raw_path(), "/");
}

TEST(Url, AppendsQueryParametersInFormEncoding) {
  detail::String query("x");
  append_query_parameter(query, "a b", "\r\n&=+%");
  append_query_parameter(query, "", "");
  EXPECT_EQ(query, "x&a+b=%0D%0A%26%3D%2B%25&=");
}

TEST(Url, ParsingTakesOnlyRecycledMemory) {
  const std::string_view text =
      "HTTP://user:password@A-Long-Host-Name.Example.org:8080/path/../to?query#fragment";
  std::size_t before = plain_allocations;
  Result<Url> url = Url::parse(text);
  Url copy = *url;
  EXPECT_EQ(plain_allocations, before);
  EXPECT_EQ(copy.netloc(), "a-long-host-name.example.org:8080");
}

/// What must hold for every URL that is accepted: it is plain ASCII and reads the same the second time.
void expect_sound(const Url& url) {
  for (char c : url.str()) ASSERT_TRUE(c > ' ' && c < 0x7f) << url.str();
  Result<Url> again = Url::parse(url.str());
  ASSERT_TRUE(again) << url.str();
  ASSERT_EQ(again->str(), url.str());
  ASSERT_EQ(again->scheme(), url.scheme());
  ASSERT_EQ(again->userinfo(), url.userinfo());
  ASSERT_EQ(again->netloc(), url.netloc());
  ASSERT_EQ(again->raw_path(), url.raw_path());
  ASSERT_EQ(again->fragment(), url.fragment());
  ASSERT_EQ(url.raw_host().find_first_of(" /?#@<>^"), std::string_view::npos) << url.str();
}

TEST(Url, AcceptedUrlsReadTheSameTheSecondTime) {
  const std::vector<std::string> pieces = {"http", "x", ":", "/",  "//", "@",      "?",    "#",    ".",
                                           "..",   "[", "]", "80", "1",  "::1",    "\\",   "%",    "%2f",
                                           " ",    "a", "&", ";",  "..", "\u4e2d", "\xff", "xn--", "0"};
  std::mt19937 random(20240601);
  auto piece = [&] { return pieces[random() % pieces.size()]; };
  std::size_t accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text = random() % 2 == 0 ? "http://" : "";
    std::string reference;
    for (auto n = random() % 10; n > 0; --n) text += piece();
    for (auto n = random() % 6; n > 0; --n) reference += piece();
    Result<Url> url = Url::parse(text);
    if (!url) continue;
    ++accepted;
    expect_sound(*url);
    expect_sound(url->with_query(reference));
    if (Result<Url> joined = url->join(reference)) expect_sound(*joined);
    if (testing::Test::HasFatalFailure()) FAIL() << text << " joined with " << reference;
  }
  EXPECT_GT(accepted, 10000U);
}

}  // namespace
}  // namespace sluice
