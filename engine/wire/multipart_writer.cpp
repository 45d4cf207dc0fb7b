// SPDX-License-Identifier: MIT
#include "engine/wire/multipart_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/wire/grammar.hpp"

namespace sluice::wire {
namespace {

constexpr std::string_view kFormData = "multipart/form-data";
constexpr std::string_view kBoundary = "boundary=";
constexpr char kEscape = 0x1B;  // the one control character that HTML 5 leaves alone

// Of what forms usually carry. Sorted by extension.
constexpr auto kMediaTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"aac", "audio/aac"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"c", "text/plain"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"eml", "message/rfc822"},
    {"gif", "image/gif"},
    {"h", "text/plain"},
    {"heic", "image/heic"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript"},
    {"json", "application/json"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"mjs", "text/javascript"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"ogg", "audio/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"ps", "application/postscript"},
    {"py", "text/x-python"},
    {"sh", "application/x-sh"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ts", "video/mp2t"},
    {"tsv", "text/tab-separated-values"},
    {"txt", "text/plain"},
    {"wasm", "application/wasm"},
    {"wav", "audio/x-wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "text/xml"},
    {"zip", "application/zip"},
});
static_assert(std::is_sorted(kMediaTypes.begin(), kMediaTypes.end()));

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void append_escaped(detail::String& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || (byte < 0x20 && c != kEscape))
      ((out += '%') += kHex[byte >> 4U]) += kHex[byte & 15U];
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
}

void append_parameter(detail::String& out, std::string_view name, std::string_view value) {
  out.append("; ").append(name).append("=\"");
  append_escaped(out, value);
  out += '"';
}

void append_field(detail::String& out, std::string_view name, std::string_view value) {
  out.append("\r\n").append(name).append(": ").append(value);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return equal_ignoring_case(text.substr(0, start.size()), start);
}

}  // namespace

void write_part_head(detail::String& out, std::string_view boundary, const PartHead& head) {
  out.append("--").append(boundary).append("\r\nContent-Disposition: form-data");
  append_parameter(out, "name", head.name);
  if (!head.filename.empty()) append_parameter(out, "filename", head.filename);
  bool typed = head.headers != nullptr && head.headers->contains("content-type");
  if (head.headers != nullptr) {
    for (auto [name, value] : *head.headers) append_field(out, name, value);
  }
  if (head.content_type && !typed) append_field(out, "Content-Type", *head.content_type);
  out += "\r\n\r\n";
}

void write_multipart_end(detail::String& out, std::string_view boundary) {
  out.append("--").append(boundary).append("--\r\n");
}

bool is_form_data(std::string_view content_type) {
  return starts_with_ignoring_case(content_type, kFormData);
}

std::optional<std::string_view> boundary_of(std::string_view content_type) {
  while (!content_type.empty()) {
    std::size_t end = std::min(content_type.find(';'), content_type.size());
    std::string_view section = trimmed(content_type.substr(0, end));
    content_type.remove_prefix(std::min(end + 1, content_type.size()));
    if (!starts_with_ignoring_case(section, kBoundary)) continue;
    section.remove_prefix(kBoundary.size());
    while (section.starts_with('"')) section.remove_prefix(1);
    while (section.ends_with('"')) section.remove_suffix(1);
    if (!section.empty()) return section;
    return std::nullopt;
  }
  return std::nullopt;
}

std::string_view media_type_of(std::string_view filename) {
  constexpr std::string_view kUnknown = "application/octet-stream";
  for (std::string_view packed : {".gz", ".bz2", ".xz", ".br"}) {  // the type is that of what was packed
    if (filename.ends_with(packed)) filename.remove_suffix(packed.size());
  }
  std::size_t dot = filename.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return kUnknown;
  detail::String extension(filename.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(), lower);
  auto found =
      std::lower_bound(kMediaTypes.begin(), kMediaTypes.end(), std::string_view(extension),
                       [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  return found != kMediaTypes.end() && found->first == extension ? found->second : kUnknown;
}

}  // namespace sluice::wire
