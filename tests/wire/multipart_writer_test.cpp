// SPDX-License-Identifier: MIT
#include "engine/wire/multipart_writer.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

std::string written(const PartHead& head) {
  detail::String out;
  write_part_head(out, "B", head);
  return std::string(out);
}

TEST(MultipartWriter, NamesAreEscapedAsHtmlDemands) {
  EXPECT_EQ(written({.name = "plain \xC3\xA4 \x7F"}),
            "--B\r\nContent-Disposition: form-data; name=\"plain \xC3\xA4 \x7F\"\r\n\r\n");
  EXPECT_EQ(
      written({.name = std::string_view("\"\\\0\r\n\x1B\x1F", 7), .filename = "\""}),
      "--B\r\nContent-Disposition: form-data; name=\"%22\\\\%00%0D%0A\x1B%1F\"; filename=\"%22\"\r\n\r\n");
}

TEST(MultipartWriter, FieldsOfAPart) {
  Headers extra{{"X-A", "1"}};
  EXPECT_EQ(written({.name = "n", .headers = &extra, .content_type = "a/b"}),
            "--B\r\nContent-Disposition: form-data; name=\"n\"\r\nX-A: 1\r\nContent-Type: a/b\r\n\r\n");
  Headers typed{{"content-type", "c/d"}};
  EXPECT_EQ(written({.name = "n", .headers = &typed, .content_type = "a/b"}),
            "--B\r\nContent-Disposition: form-data; name=\"n\"\r\ncontent-type: c/d\r\n\r\n");
}

TEST(MultipartWriter, BoundaryOfAContentType) {
  EXPECT_EQ(boundary_of("multipart/form-data; boundary=+++"), "+++");
  EXPECT_EQ(boundary_of("multipart/form-data; boundary=\"q q\"; charset=utf-8"), "q q");
  EXPECT_EQ(boundary_of("multipart/form-data; charset=utf-8; BOUNDARY=x ;"), "x");
  EXPECT_EQ(boundary_of("multipart/form-data;boundary=x"), "x");
  for (const char* none : {"", "multipart/form-data", "multipart/form-data; boundary=",
                           "multipart/form-data; boundary=\"\"", "multipart/form-data; xboundary=y; ;"})
    EXPECT_EQ(boundary_of(none), std::nullopt) << none;
  EXPECT_TRUE(is_form_data("Multipart/Form-Data; x"));
  EXPECT_FALSE(is_form_data("multipart/mixed"));
}

TEST(MultipartWriter, MediaTypeOfAFilename) {
  EXPECT_EQ(media_type_of("a.json"), "application/json");
  EXPECT_EQ(media_type_of("a.b.PNG"), "image/png");
  EXPECT_EQ(media_type_of("a.tar.gz"), "application/x-tar");
  for (const char* unknown : {"", "a", ".json", "a.", "a.zzz", "a.gz", "json"})
    EXPECT_EQ(media_type_of(unknown), "application/octet-stream") << unknown;
}

}  // namespace
}  // namespace sluice::wire
