// SPDX-License-Identifier: MIT
#include "tools/command/resume.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

namespace fs = std::filesystem;

constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// RFC 9110, 14.4: "bytes 5-9/10", or "bytes */10" for a range that there is not.
struct ContentRange {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;
  std::optional<std::uint64_t> whole;
};

std::optional<ContentRange> content_range_of(const ResponseBase& response) {
  auto field = response.headers().first("content-range");
  if (!field) return std::nullopt;
  std::string_view text = *field;
  ContentRange range;
  if (!take(text, "bytes ")) return std::nullopt;
  if (!take(text, "*")) {
    range.first = take_number(text);
    if (!range.first || !take(text, "-")) return std::nullopt;
    range.last = take_number(text);
  }
  if (!take(text, "/")) return std::nullopt;
  if (take(text, "*")) return range;
  range.whole = take_number(text);
  return range.whole && text.empty() ? std::optional(range) : std::nullopt;
}

std::optional<std::time_t> date_of(const ResponseBase& response, std::string_view name) {
  std::string text(response.headers().first(name).value_or(""));
  std::tm date{};
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return timegm(&date);
}

/// What names this version and no other: a strong ETag, or a date of change that was past when the response
/// was made (RFC 9110, 8.8.2.2). Empty if there is neither.
std::string validator_of(const ResponseBase& response) {
  auto etag = response.headers().first("etag");
  if (etag && etag->starts_with('"')) return std::string(*etag);
  auto changed = date_of(response, "last-modified");
  auto made = date_of(response, "date");
  if (!changed || !made || *made <= *changed) return "";
  return std::string(*response.headers().first("last-modified"));
}

}  // namespace

Resume::Resume(const std::string& target, const std::string& url) : target_(target), url_(url) {
  std::error_code error;
  fs::path whole = fs::canonical(target, error);  // through links: they stay
  if (!error && !fs::is_regular_file(whole))
    throw Failure(kUsage, "'" + target + "' is no file that could be continued");
  if (!error) target_ = whole;
  part_ = target_ + ".part";
  info_ = part_ + ".info";
  load();
}

void Resume::load() {
  std::ifstream info(info_);
  std::string url;
  std::error_code error;
  std::uintmax_t size = fs::file_size(part_, error);
  if (error || !std::getline(info, url) || url != url_ || !std::getline(info, validator_)) {
    validator_.clear();
    return;
  }
  size_ = size;
}

void Resume::apply(Request& request) const {
  if (size_ == 0) return;
  request.header("Range", "bytes=" + std::to_string(size_) + "-").header("If-Range", validator_);
}

bool Resume::is_complete(const ResponseBase& response) const {
  if (size_ == 0 || response.status() != kRangeNotSatisfiable) return false;
  auto range = content_range_of(response);
  return range && range->whole == size_;
}

bool Resume::is_refused(const ResponseBase& response) const {
  return size_ != 0 && response.status() == kRangeNotSatisfiable && !is_complete(response);
}

void Resume::start_anew() {
  size_ = 0;
  validator_.clear();
}

std::unique_ptr<Output> Resume::open(const ResponseBase& response) {
  if (is_complete(response)) return std::make_unique<Output>(target_, part_, size_);
  if (!response.is_success())
    throw Failure(kHttpError, "the server answered " + std::to_string(response.status()) + " " +
                                  std::string(response.reason()));
  if (response.status() == kPartialContent)
    check_range(response);
  else
    start_anew();
  auto output = std::make_unique<Output>(target_, part_, size_);
  note_version(response);
  return output;
}

void Resume::check_range(const ResponseBase& response) {
  auto range = content_range_of(response);
  bool is_the_rest = size_ != 0 && range && range->first == size_ && range->last && range->whole &&
                     *range->last + 1 == *range->whole;
  auto etag = response.headers().first("etag");
  bool is_the_version = !etag || !validator_.starts_with('"') || *etag == validator_;
  if (!is_the_rest || !is_the_version)
    throw Failure(kProtocol, "the server sent another part than the one that was asked for");
  whole_size_ = range->whole;
}

void Resume::check_whole(std::uint64_t size) const {
  if (whole_size_ && size != *whole_size_)
    throw Failure(kPartial, "the server sent " + std::to_string(size) + " of " +
                                std::to_string(*whole_size_) + " bytes");
}

void Resume::note_version(const ResponseBase& response) const {
  std::string validator = response.status() == kPartialContent ? validator_ : validator_of(response);
  if (validator.empty()) {
    std::remove(info_.c_str());
    return;
  }
  std::ofstream info(info_, std::ios::trunc);
  std::error_code ignored;
  fs::permissions(info_, fs::perms::owner_read | fs::perms::owner_write, ignored);  // a URL may hold secrets
  info << url_ << '\n' << validator << '\n';
  if (!info.flush()) throw Failure(kWriteOutput, "cannot write to " + info_);
}

void Resume::finished() {
  std::remove(info_.c_str());
}

}  // namespace sluice::command
