// SPDX-License-Identifier: MIT
#include "engine/wire/redirect.hpp"

#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::wire {
namespace {

using nlohmann::json;

/// Rows recorded from HTTPX 0.28.
json rows(const std::string& file) {
  std::ifstream stream(SLUICE_TEST_DATA_DIR "/" + file);
  EXPECT_TRUE(stream) << file;
  return json::parse(stream);
}

Result<RedirectedRequest> redirected(std::string_view url, std::string_view location,
                                     const Headers& headers = {}, int status = 302) {
  return redirect(Method::Get, Url(url), headers, status, {{"Location", location}});
}

std::string target(std::string_view url, std::string_view location) {
  auto next = redirected(url, location);
  return next ? std::string(next->url.str()) : next.error().facts().message;
}

json value_of(const Headers& headers, std::string_view name) {
  auto value = headers.get(name);
  return value ? json(*value) : json(nullptr);
}

// ---- recorded rows

void expect_method_row(const json& row) {
  Method method(row["method"].get<std::string>());
  int status = row["status"];
  Headers response{{"Location", "/next"}};
  ASSERT_EQ(has_redirect_location(status, response), row["followed"]);
  if (!row["followed"]) return;

  Headers headers{{"Content-Type", "x/y"}, {"Content-Length", "4"}, {"Content-Language", "en"}};
  auto next = redirect(method, Url("http://a.example/"), headers, status, response);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->method.name(), row["new_method"]);
  EXPECT_EQ(next->keeps_body, row["body_resent"]);
  for (const auto& [name, value] : row["hdr"].items()) {
    // HTTPX goes on describing a body that it does not send; we do not.
    json expected = row["body_resent"] ? value : json(nullptr);
    EXPECT_EQ(value_of(next->headers, name), expected) << name;
  }
}

TEST(RedirectTest, MethodsAndBodiesAsRecorded) {
  for (const json& row : rows("redirect_methods.json")) {
    SCOPED_TRACE(row.dump());
    expect_method_row(row);
  }
}

void expect_header_row(const json& row) {
  std::string from = row["frm"];
  std::string to = row["to"];
  Headers headers{
      {"Host", "custom.host"}, {"Authorization", "a"}, {"Cookie", "c"}, {"Proxy-Authorization", "p"},
      {"X-Api-Key", "k"},      {"Referer", "R"},       {"Origin", "O"}};
  auto next = redirected(from, to, headers);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->headers.contains("authorization"), row["authorization"]);
  EXPECT_EQ(next->headers.contains("cookie"), row["cookie"]);
  EXPECT_EQ(next->headers.contains("x-api-key"), row["x_api_key"]);
  EXPECT_EQ(value_of(next->headers, "host"), row["host"]);
  EXPECT_EQ(value_of(next->headers, "referer"), row["referer"]);
  EXPECT_EQ(value_of(next->headers, "origin"), row["origin"]);
  // HTTPX tells every origin; we tell the one it was meant for.
  bool same_origin = row["host"] == "custom.host";
  EXPECT_EQ(next->headers.contains("proxy-authorization"), same_origin);
}

TEST(RedirectTest, HeadersAsRecorded) {
  for (const json& row : rows("redirect_headers.json")) {
    SCOPED_TRACE(row.dump());
    expect_header_row(row);
  }
}

TEST(RedirectTest, LocationsAsRecorded) {
  for (const json& row : rows("redirect_location.json")) {
    SCOPED_TRACE(row.dump());
    Headers headers;
    bool has_auth = !row.value("auth", json(nullptr)).is_null();
    if (has_auth) headers.add("Authorization", row["auth"].get<std::string>());
    auto next = redirected(row["base"].get<std::string>(), row["location"].get<std::string>(), headers);
    ASSERT_EQ(bool(next), row.contains("result"));
    if (!next) continue;
    EXPECT_EQ(next->url.str(), row["result"].get<std::string>());
    EXPECT_EQ(value_of(next->headers, "authorization"), row["auth"]);
  }
}

// ---- what the rows leave open

TEST(RedirectTest, NoLocationIsNoRedirect) {
  EXPECT_FALSE(has_redirect_location(302, {}));
  EXPECT_TRUE(has_redirect_location(302, {{"location", ""}}));
  EXPECT_FALSE(has_redirect_location(200, {{"Location", "/"}}));
  EXPECT_FALSE(has_redirect_location(201, {{"Location", "/"}}));
}

TEST(RedirectTest, SeveralLocationsMustAgree) {
  Url url("http://a.example/");
  auto same = redirect(Method::Get, url, {}, 301, {{"Location", "/x"}, {"location", "/x"}});
  ASSERT_TRUE(same);
  EXPECT_EQ(same->url.str(), "http://a.example/x");
  auto different = redirect(Method::Get, url, {}, 301, {{"Location", "/x"}, {"Location", "/y"}});
  ASSERT_FALSE(different);
  EXPECT_EQ(different.error().kind(), ErrorKind::invalid_url);
}

TEST(RedirectTest, MissingHostIsThatOfTheRequestButNotItsPort) {
  EXPECT_EQ(target("http://a.example:81/x", "http:///foo"), "http://a.example/foo");
  EXPECT_EQ(target("http://a.example:81/x", "http://:82/foo?q#f"), "http://a.example:82/foo?q#f");
  EXPECT_EQ(target("http://a.example:81/x", "https:/foo"), "https://a.example/foo");
  EXPECT_EQ(target("http://[::1]:81/x", "http:///foo"), "http://[::1]/foo");
  EXPECT_EQ(target("http://a.example/x", "http://u:p@:82/"), "http://u:p@a.example:82/");
  EXPECT_EQ(target("http://a.example/x", "http://u:p@"), "http://u:p@a.example");
  EXPECT_EQ(target("http://a.example/x#f", "https:"), "https://a.example#f");
  EXPECT_EQ(target("http://a.example/x", "http:?q"), "http://a.example?q");
}

TEST(RedirectTest, RelativeLocations) {
  EXPECT_EQ(target("http://a.example:81/p/q", "//b.example/z"), "http://b.example/z");
  EXPECT_EQ(target("http://a.example:81/p/q?x", "?y"), "http://a.example:81/p/q?y");
  EXPECT_EQ(target("http://a.example/p", "/caf\xc3\xa9 x"), "http://a.example/caf%C3%A9%20x");
  EXPECT_EQ(target("http://u:p@a.example/", "//b.example/"), "http://b.example/");
}

TEST(RedirectTest, FragmentsOutliveRedirectsThatStateNone) {
  EXPECT_EQ(target("http://a.example/#f", "http://b.example/"), "http://b.example/#f");
  EXPECT_EQ(target("http://a.example/#f", "/z#"), "http://a.example/z#f");
  EXPECT_EQ(target("http://a.example/#f", "/z#g"), "http://a.example/z#g");
}

TEST(RedirectTest, WhatIsNoUrl) {
  for (std::string_view location : {"http:g", "data:x", "http://a b/", "http://h:99999/"}) {
    SCOPED_TRACE(location);
    auto next = redirected("http://a.example/", location);
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().kind(), ErrorKind::invalid_url);
    EXPECT_NE(next.error().facts().message.find("Invalid URL in location header"), std::string::npos);
  }
}

TEST(RedirectTest, ForeignSchemesAreForTheClientToRefuse) {
  EXPECT_EQ(target("http://a.example/", "ftp://b.example/x"), "ftp://b.example/x");
}

TEST(RedirectTest, BodyThatIsDroppedTakesAllItsFieldsAlong) {
  Headers headers{{"Host", "a.example"},
                  {"content-encoding", "gzip"},
                  {"Content-MD5", "x"},
                  {"Trailer", "T"},
                  {"Transfer-Encoding", "chunked"},
                  {"Expect", "100-continue"},
                  {"Accept", "*/*"},
                  {"X-Content", "stays"}};
  auto next = redirect(Method::Post, Url("http://a.example/"), headers, 303, {{"Location", "/"}});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->headers, (Headers{{"Host", "a.example"}, {"Accept", "*/*"}, {"X-Content", "stays"}}));
}

TEST(RedirectTest, CredentialsDoNotSurviveALoopThroughAnotherOrigin) {
  Headers headers{{"Host", "a.example"}, {"Authorization", "secret"}};
  auto away = redirected("http://a.example/", "http://b.example/", headers);
  ASSERT_TRUE(away);
  auto back = redirected("http://b.example/", "http://a.example/", away->headers);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->headers, (Headers{{"Host", "a.example"}}));
}

TEST(RedirectTest, DefaultPortsAreTheSameOrigin) {
  Headers headers{{"Authorization", "a"}, {"Proxy-Authorization", "p"}};
  auto next = redirected("http://a.example/", "http://A.example:80/x", headers);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->headers, headers);
}

}  // namespace
}  // namespace sluice::wire
