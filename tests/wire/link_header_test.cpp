// SPDX-License-Identifier: MIT
#include "engine/wire/link_header.hpp"

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::wire {
namespace {

using nlohmann::json;

TEST(Links, AreReadAsRecorded) {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/links.json");
  for (const json& row : json::parse(file)) {
    EXPECT_EQ(json(parse_links(row["link"].get<std::string>())), row["links"]) << row;
  }
}

TEST(Links, KeysAreRelationsOrTargets) {
  EXPECT_EQ(json(parse_links("<a>; rel=\"\"; x=y")),
            json::parse(R"({"a": {"url": "a", "rel": "", "x": "y"}})"));
  EXPECT_EQ(parse_links("<a>; rel=next, <b>; rel=next").at("next").at("url"), "b");
  EXPECT_EQ(parse_links("<a>, <a>; title=second").at("a").at("title"), "second");
  EXPECT_EQ(parse_links("<a>,<b>,   <c>").size(), 3U);
}

TEST(Links, AParameterThatIsNotOneNameAndOneValueEndsTheLink) {
  EXPECT_EQ(json(parse_links("<a>; x=1; flag; rel=next")), json::parse(R"({"a": {"url": "a", "x": "1"}})"));
  EXPECT_EQ(json(parse_links("<a>; title=\"x=y\"; rel=next")), json::parse(R"({"a": {"url": "a"}})"));
  EXPECT_EQ(json(parse_links("<a>; =1; x=")), json::parse(R"({"a": {"url": "a", "": "1", "x": ""}})"));
}

TEST(Links, OfNothingAreNone) {
  EXPECT_TRUE(parse_links("").empty());
  EXPECT_TRUE(parse_links(" '\" ").empty());
  EXPECT_EQ(json(parse_links("<a>, <")), json::parse(R"({"a": {"url": "a"}, "": {"url": ""}})"));
}

}  // namespace
}  // namespace sluice::wire
