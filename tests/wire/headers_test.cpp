// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/headers.hpp>

namespace sluice {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const Headers& headers) {
  Fields fields;
  for (const auto [name, value] : headers) fields.emplace_back(name, value);
  return fields;
}

std::string lines_of(const Fields& fields) {
  std::string lines;
  for (const auto& [name, value] : fields) lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

const Headers kRepeated = {{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", ""}, {"A", "4, 5"}};

TEST(Headers, KeepFieldsAsGivenAndInOrder) {
  EXPECT_EQ(fields_of(kRepeated), (Fields{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", ""}, {"A", "4, 5"}}));
  EXPECT_EQ(kRepeated.size(), 5U);
  EXPECT_FALSE(kRepeated.empty());
  EXPECT_EQ(kRepeated[2].name, "a");
  EXPECT_TRUE(Headers().empty());
}

TEST(Headers, LookUpIgnoresCase) {
  EXPECT_TRUE(kRepeated.contains("b"));
  EXPECT_FALSE(kRepeated.contains("D"));
  EXPECT_FALSE(kRepeated.contains(""));
  EXPECT_EQ(kRepeated.first("a"), "1");
  EXPECT_EQ(kRepeated.first("c"), "");
  EXPECT_EQ(kRepeated.first("d"), std::nullopt);
  EXPECT_EQ(kRepeated.get("a"), "1, 3, 4, 5");
  EXPECT_EQ(kRepeated.get("C"), "");
  EXPECT_EQ(kRepeated.get("d"), std::nullopt);
}

TEST(Headers, GetListGivesValuesOneByOne) {
  using List = std::vector<std::string>;
  EXPECT_EQ(kRepeated.get_list("A"), (List{"1", "3", "4, 5"}));
  EXPECT_EQ(kRepeated.get_list("A", true), (List{"1", "3", "4", "5"}));
  EXPECT_EQ(kRepeated.get_list("d", true), List{});
  EXPECT_EQ(Headers({{"x", " \ta b\t ,, c"}}).get_list("X", true), (List{"a b", "", "c"}));
}

TEST(Headers, SetReplacesTheFirstAndRemovesTheOthers) {
  Headers headers = kRepeated;
  headers.set("a", "a longer value than before");
  EXPECT_EQ(fields_of(headers), (Fields{{"a", "a longer value than before"}, {"B", "2"}, {"C", ""}}));
  headers.set("c", "x");
  headers.set("D", "y");
  EXPECT_EQ(fields_of(headers),
            (Fields{{"a", "a longer value than before"}, {"B", "2"}, {"c", "x"}, {"D", "y"}}));
}

TEST(Headers, RemoveTakesAllOfTheName) {
  Headers headers = kRepeated;
  EXPECT_EQ(headers.remove("x"), 0U);
  EXPECT_EQ(headers.remove("a"), 3U);
  EXPECT_EQ(fields_of(headers), (Fields{{"B", "2"}, {"C", ""}}));
  headers.add("A", "6");
  EXPECT_EQ(fields_of(headers), (Fields{{"B", "2"}, {"C", ""}, {"A", "6"}}));
}

TEST(Headers, MergeReplacesNamesAndKeepsRepeatedFields) {
  Headers headers = kRepeated;
  headers.merge({{"D", "7"}, {"a", "8"}, {"d", "9"}, {"A", "10"}});
  EXPECT_EQ(fields_of(headers),
            (Fields{{"a", "8"}, {"A", "10"}, {"B", "2"}, {"C", ""}, {"D", "7"}, {"d", "9"}}));
  const Fields before = fields_of(headers);
  headers.merge(headers);
  headers.merge({});
  EXPECT_EQ(fields_of(headers).size(), before.size());
}

TEST(Headers, ArgumentsMayBeViewsOfTheFieldsThemselves) {
  Headers headers = {{"Name", "a value that is long enough"}};
  for (int i = 0; i < 20; ++i) headers.add(headers[0].name, headers[0].value);
  for (const auto [name, value] : headers) {
    EXPECT_EQ(name, "Name");
    EXPECT_EQ(value, "a value that is long enough");
  }
  headers.set(headers[3].name, headers[3].value);
  EXPECT_EQ(fields_of(headers), (Fields{{"Name", "a value that is long enough"}}));
  EXPECT_EQ(headers.remove(headers[0].name), 1U);
}

TEST(Headers, ClearAndMoveLeaveNothing) {
  Headers headers = kRepeated;
  headers.clear();
  EXPECT_TRUE(headers.empty());
  headers.add("A", "1");
  EXPECT_EQ(headers.get("a"), "1");
  Headers moved = std::move(headers);
  EXPECT_EQ(moved.get("a"), "1");
  EXPECT_TRUE(headers.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(Headers, EqualityIgnoresOrderAndCaseOfNames) {
  EXPECT_EQ(Headers({{"A", "1"}, {"B", "2"}}), Headers({{"b", "2"}, {"a", "1"}}));
  EXPECT_EQ(Headers({{"A", "1"}, {"a", "2"}}), Headers({{"A", "2"}, {"A", "1"}}));
  EXPECT_NE(Headers({{"A", "1"}}), Headers({{"A", "1"}, {"A", "1"}}));
  EXPECT_NE(Headers({{"A", "1"}, {"A", "1"}, {"B", "2"}}), Headers({{"A", "1"}, {"B", "2"}, {"B", "2"}}));
  EXPECT_NE(Headers({{"A", "x"}}), Headers({{"A", "X"}}));
  EXPECT_EQ(Headers(), Headers({}));
}

TEST(Headers, RefuseMoreTextThanOffsetsCanReach) {
  Headers headers = {{"A", "1"}};
  const std::string_view text = "x";
  const std::string_view huge(text.data(), std::numeric_limits<std::uint32_t>::max());  // never read
  EXPECT_THROW(headers.add("B", huge), std::length_error);
  EXPECT_THROW(headers.add(huge, "B"), std::length_error);
  EXPECT_EQ(fields_of(headers), (Fields{{"A", "1"}}));
}

/// Headers against a plain vector that does the same.
TEST(Headers, AnySequenceOfChangesIsCorrect) {
  std::mt19937 random(7);
  Headers headers;
  Fields expected;
  auto same = [](const std::string& name) {
    return [&name](const auto& field) { return equal_ignoring_case(field.first, name); };
  };
  for (int i = 0; i < 20000; ++i) {
    std::string name(1 + random() % 2, static_cast<char>((random() % 2 == 0 ? 'a' : 'A') + random() % 3));
    std::string value(random() % 40, static_cast<char>('0' + random() % 10));
    switch (random() % 4) {
      case 0:
      case 1:
        headers.add(name, value);
        expected.emplace_back(name, value);
        break;
      case 2: {
        headers.set(name, value);
        auto first = std::find_if(expected.begin(), expected.end(), same(name));
        if (first == expected.end()) {
          expected.emplace_back(name, value);
        } else {
          *first = {name, value};
          expected.erase(std::remove_if(first + 1, expected.end(), same(name)), expected.end());
        }
        break;
      }
      default:
        EXPECT_EQ(headers.remove(name), std::erase_if(expected, same(name)));
    }
    ASSERT_EQ(fields_of(headers), expected);
    ASSERT_EQ(headers.lines(), lines_of(expected));
  }
}

TEST(EqualIgnoringCase, ComparesEveryPairOfBytesAsAsciiDoes) {
  auto lower = [](int c) { return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c; };
  for (std::size_t size : {1U, 3U, 4U, 7U, 8U, 9U, 16U, 17U}) {
    for (int x = 0; x < 256; ++x) {
      for (int y = 0; y < 256; ++y) {
        std::string a(size, 'q'), b(size, 'Q');
        std::size_t position = static_cast<std::size_t>(x + y) % size;
        a[position] = static_cast<char>(x);
        b[position] = static_cast<char>(y);
        ASSERT_EQ(equal_ignoring_case(a, b), lower(x) == lower(y)) << size << ' ' << x << ' ' << y;
      }
    }
  }
}

TEST(EqualIgnoringCase, ComparesSizes) {
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_FALSE(equal_ignoring_case("", "a"));
  EXPECT_FALSE(equal_ignoring_case("content-length", "content-lengt"));
  EXPECT_TRUE(equal_ignoring_case("Content-Length", "cONTENT-lENGTH"));
}

}  // namespace
}  // namespace sluice
