// SPDX-License-Identifier: MIT
#include "engine/wire/charset.hpp"

#include <fstream>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/wire/converters.hpp"

namespace sluice::wire {
namespace {

std::string name_of(std::string_view label) {
  auto charset = Charset::find(label);
  return charset ? std::string(charset->name()) : "none";
}

/// All labels of the WHATWG Encoding Standard and Python's names of what iconv has, with the charset we take
/// them for.
std::map<std::string, std::string> labels() {
  std::ifstream file(SLUICE_TEST_DATA_DIR "/charset_labels.json");
  return nlohmann::json::parse(file);
}

TEST(Charset, EveryLabelOfTheStandardAndOfPythonIsFound) {
  ASSERT_GE(labels().size(), 228U);
  for (const auto& [label, name] : labels()) EXPECT_EQ(name_of(label), name) << label;
}

TEST(Charset, EveryTableOfIconvOpens) {
  for (const auto& [label, name] : labels()) {
    auto charset = Charset::find(label);
    ASSERT_TRUE(charset) << label;
    if (charset->iconv_name() != nullptr) {
      EXPECT_TRUE(Iconv(charset->iconv_name()).open()) << label;
    }
  }
  EXPECT_FALSE(Iconv("no such charset").open());
}

TEST(Charset, LabelsIgnoreCaseBlanksAndPunctuation) {
  for (auto label : {"utf-8", "UTF8", " utf_8\t", "'Utf 8'", "u8"})
    EXPECT_EQ(name_of(label), "utf-8") << label;
  EXPECT_EQ(Charset::find("UTF8"), Charset::utf8());
  EXPECT_EQ(name_of("ISO_8859-1:1987"), "iso-8859-1");
  EXPECT_EQ(name_of("iso-8859-11"), "iso-8859-11");
  EXPECT_EQ(name_of("cp-1252"), "windows-1252");
}

TEST(Charset, WherePythonAndTheStandardDifferPythonCounts) {
  EXPECT_EQ(name_of("latin1"), "iso-8859-1");
  EXPECT_EQ(name_of("ascii"), "us-ascii");
  EXPECT_EQ(name_of("gb2312"), "gb2312");
  EXPECT_EQ(name_of("shift_jis"), "shift_jis");
  EXPECT_EQ(name_of("x-sjis"), "windows-31j");
  EXPECT_EQ(name_of("euc-kr"), "euc-kr");
}

TEST(Charset, WhatIsNoCharsetIsUnknown) {
  for (auto label : {"",
                     " ",
                     "-",
                     "hex",
                     "base64",
                     "zlib",
                     "bz2",
                     "uu",
                     "quopri",
                     "rot13",
                     "undefined",
                     "idna",
                     "punycode",
                     "unicode_escape",
                     "raw-unicode-escape",
                     "mbcs",
                     "invalid-codec-name",
                     "utf-9",
                     "utf-8\xC3\xA9",
                     "utf8 utf",
                     "u 8 utf-8",
                     "a-label-that-is-longer-than-any-that-there-is-at-all"}) {
    EXPECT_EQ(name_of(label), "none") << label;
  }
}

TEST(CharsetOf, TakesTheFirstParameterOfTheName) {
  using Value = std::optional<std::string>;
  EXPECT_EQ(charset_of("text/html; charset=utf-8; charset=latin-1"), Value("utf-8"));
  EXPECT_EQ(charset_of("text/html; CharSet = UTF-8 ;x=y"), Value("utf-8"));
  EXPECT_EQ(charset_of("; charset=latin-1"), Value("latin-1"));
  EXPECT_EQ(charset_of("charset=koi8-r"), Value("koi8-r"));
  EXPECT_EQ(charset_of("text/html;charset"), Value(""));
  EXPECT_EQ(charset_of("text/html;charset="), Value(""));
  EXPECT_EQ(charset_of("text/html"), std::nullopt);
  EXPECT_EQ(charset_of(""), std::nullopt);
  EXPECT_EQ(charset_of("text/html; xcharset=a; charset2=b"), std::nullopt);
}

TEST(CharsetOf, UnderstandsQuotes) {
  using Value = std::optional<std::string>;
  EXPECT_EQ(charset_of(R"(text/html; charset="utf-8")"), Value("utf-8"));
  EXPECT_EQ(charset_of(R"(text/html; charset="u\tf-8")"), Value("utf-8"));
  EXPECT_EQ(charset_of(R"(text/html; title="a; charset=x"; charset=y)"), Value("y"));
  EXPECT_EQ(charset_of(R"(text/html; title="a\"; charset=x"; charset=y)"), Value("y"));
  EXPECT_EQ(charset_of("text/html; charset=\"utf-8"), Value("\"utf-8"));
  EXPECT_EQ(charset_of("text/html; charset=\""), Value("\""));
  EXPECT_EQ(charset_of("text/html; charset=utf\xE9"), std::nullopt);
}

}  // namespace
}  // namespace sluice::wire
