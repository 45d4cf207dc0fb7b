// SPDX-License-Identifier: MIT
#include "engine/wire/request_writer.hpp"

#include <string>

#include <gtest/gtest.h>

#include "engine/wire/response_writer.hpp"

namespace sluice::wire {
namespace {

std::string failure_of(const Method& method, std::string_view target, const Headers& headers) {
  Result<FramingFields> checked = check_request(method, target, headers);
  if (checked) return "";
  EXPECT_EQ(checked.error().kind(), ErrorKind::local_protocol_error);
  EXPECT_EQ(checked.error().facts().phase, Phase::setup);
  return checked.error().facts().message;
}

std::string failure_of(const Headers& headers) {
  return failure_of(Method::Get, "/", headers);
}

TEST(RequestWriter, WritesTheHeadAsGiven) {
  detail::String out = "before ";
  write_request_head(out, Method::Get, "/a?b", {{"Host", "x:1"}, {"accept", "*/*"}, {"Empty", ""}});
  EXPECT_EQ(out, "before GET /a?b HTTP/1.1\r\nHost: x:1\r\naccept: */*\r\nEmpty: \r\n\r\n");
  out.clear();
  write_request_head(out, Method::Options, "*", {});
  EXPECT_EQ(out, "OPTIONS * HTTP/1.1\r\n\r\n");
}

TEST(RequestWriter, AcceptsWhatHttpAllows) {
  EXPECT_EQ(failure_of(Method("M-SEARCH"), "http://[::1]:80/%20?q=a+b~!$&'()*,;=@", {{"Host", "a"}}), "");
  EXPECT_EQ(failure_of(Method("CONNECT"), "example.org:443", {}), "");
  EXPECT_EQ(failure_of({{"!#$%&'*+-.^_`|~09aZ", "tab\there, \xC3\xA9, empty next"}, {"Empty", ""}}), "");
  EXPECT_EQ(failure_of({{"Content-Length", "0"}}), "");
  EXPECT_EQ(failure_of({{"Transfer-Encoding", "gzip, chunked"}}), "");
}

TEST(RequestWriter, RefusesAMethodThatIsNoToken) {
  for (const char* method : {"", "GET ", "G ET", "GET\r\nX: y", "G\xC3\x89T", "A(B)"})
    EXPECT_EQ(failure_of(Method(method), "/", {}), "the method is not a token") << method;
  EXPECT_EQ(failure_of(Method(std::string_view("G\0T", 3)), "/", {}), "the method is not a token");
  EXPECT_EQ(failure_of(Method(std::string(32, 'A')), "/", {}), "the method is not a token");
}

TEST(RequestWriter, RefusesATargetThatIsNotVisibleAscii) {
  EXPECT_EQ(failure_of(Method::Get, "", {}), "empty request target");
  for (std::string_view target :
       {std::string_view("/ "), std::string_view("/a b"), std::string_view("/\r\nX: y"),
        std::string_view("/\t"), std::string_view("/\0", 2), std::string_view("/\x7F"),
        std::string_view("/\xC3\xA9")})
    EXPECT_EQ(failure_of(Method::Get, target, {}), "illegal character in the request target") << target;
}

TEST(RequestWriter, RefusesHeaderInjection) {
  for (const char* name : {"A b", "A:", "A\r\nB", "\xC3\xA9", "A\t", "(A)"})
    EXPECT_EQ(failure_of({{name, "x"}}), "illegal character in a header name") << name;
  EXPECT_EQ(failure_of({{"", "x"}}), "empty header name");
  for (const char* value : {"a\r\nB: c", "a\nb", "a\rb", "a\x01", "a\x7F", "0123456789\n", "\n"})
    EXPECT_EQ(failure_of({{"A", value}}), "illegal character in a header value") << value;
  EXPECT_EQ(failure_of({{"A", std::string_view("a\0b", 3)}}), "illegal character in a header value");
  for (const char* value : {" a", "a ", "\ta", "a\t", " "})
    EXPECT_EQ(failure_of({{"A", value}}), "blanks around a header value") << value;
}

TEST(RequestWriter, EveryByteOfAValueIsChecked) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string value(length, 'v');
      value[at] = '\x1F';
      EXPECT_FALSE(failure_of({{"A", value}}).empty()) << length << ' ' << at;
      value[at] = '\xFF';
      EXPECT_TRUE(failure_of({{"A", value}}).empty()) << length << ' ' << at;
    }
  }
}

TEST(RequestWriter, RefusesContradictoryFraming) {
  EXPECT_EQ(failure_of({{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}}),
            "both Transfer-Encoding and Content-Length");
  EXPECT_EQ(failure_of({{"Content-Length", "3"}, {"content-length", "3"}}), "more than one Content-Length");
  EXPECT_EQ(failure_of({{"Content-Length", "3, 3"}}), "more than one Content-Length");
  EXPECT_EQ(failure_of({{"Content-Length", "3"}, {"Content-Length", "4"}}),
            "differing Content-Length values");
  for (const char* value : {"", "-1", "+1", "0x1", "1.0", "9223372036854775808"})
    EXPECT_EQ(failure_of({{"Content-Length", value}}), "malformed Content-Length") << value;
  EXPECT_EQ(failure_of({{"Transfer-Encoding", "gzip"}}), "a transfer coding without chunked");
  EXPECT_EQ(failure_of({{"Transfer-Encoding", "chunked, gzip"}}), "chunked is not the last transfer coding");
  EXPECT_EQ(failure_of({{"Transfer-Encoding", "yolo"}}), "unknown transfer coding");
  EXPECT_EQ(failure_of({{"Host", "a"}, {"HOST", "a"}}), "more than one Host");
}

TEST(ResponseWriter, WritesTheHead) {
  detail::String out;
  write_response_head(out, 200, "OK", {{"Content-Length", "2"}});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  out.clear();
  write_response_head(out, 599, "", {});
  EXPECT_EQ(out, "HTTP/1.1 599 \r\n\r\n");
}

TEST(ResponseWriter, ChecksTheHead) {
  EXPECT_TRUE(check_response(200, "d\xE9j\xE0 vu", {{"A", "b"}}));
  EXPECT_FALSE(check_response(99, "", {}));
  EXPECT_FALSE(check_response(1000, "", {}));
  EXPECT_FALSE(check_response(200, "OK\r\nX: y", {}));
  EXPECT_FALSE(check_response(200, "OK", {{"A", "b\r\nC: d"}}));
}

TEST(ResponseWriter, Chunks) {
  detail::String out;
  write_chunk_line(out, 1);
  write_chunk_line(out, 0xABCDEF0123456789);
  EXPECT_EQ(out, "1\r\nabcdef0123456789\r\n");
}

}  // namespace
}  // namespace sluice::wire
