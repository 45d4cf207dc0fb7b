// SPDX-License-Identifier: MIT
#include "tools/command/arguments.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "tools/command/failure.hpp"

namespace sluice::command {
namespace {

/// Seconds of a unit; 0 for one that is none.
double seconds_of(std::string_view unit) {
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m" || unit == "min") return 60;
  return unit == "h" ? 3600 : 0;
}

/// What is left of a file; errno says why if it cannot be read.
std::optional<std::string> read_all(std::FILE* file) {
  std::string data;
  std::array<char, 64 * 1024> block;
  while (std::size_t count = std::fread(block.data(), 1, block.size(), file))
    data.append(block.data(), count);
  if (std::ferror(file) != 0) return std::nullopt;
  return data;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Duration parse_duration(const std::string& text) {
  char* end = nullptr;
  bool number = !text.empty() && (text.front() == '.' || (text.front() >= '0' && text.front() <= '9'));
  double value = number ? std::strtod(text.c_str(), &end) : -1;
  double seconds = number ? value * seconds_of(end) : -1;
  constexpr double kMost = 1e9;
  bool right = number && std::isfinite(seconds) && seconds <= kMost && (seconds > 0 || value == 0);
  if (!right) throw Failure(kUsage, "'" + text + "' is no duration, such as 500ms, 10s or 2m");
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::string read_data(const std::string& argument) {
  if (!argument.starts_with('@')) return argument;
  std::string path = argument.substr(1);
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  std::optional<std::string> data = file ? read_all(file.get()) : std::nullopt;
  if (!data) throw Failure(kReadInput, "cannot read '" + path + "': " + std::strerror(errno));
  return *std::move(data);
}

void apply_headers(Request& request, const std::vector<std::string>& arguments) {
  Headers stated;
  for (const std::string& argument : arguments) {
    std::size_t mark = argument.find_first_of(":;");
    std::string_view name = std::string_view(argument).substr(0, mark);
    if (mark == std::string::npos || name.empty())
      throw Failure(kUsage, "'" + argument + "' is no header, such as 'Name: value'");
    std::string_view value = trim(std::string_view(argument).substr(mark + 1));
    if (argument[mark] == ';' && !value.empty())
      throw Failure(kUsage,
                    "'" + argument + "' is no header, such as 'Name: value' or, without a value, 'Name;'");
    if (argument[mark] == ':' && value.empty())
      request.headers().remove(name);
    else
      stated.add(name, value);
  }
  request.headers().merge(stated);
}

std::string complete_url(const std::string& argument) {
  std::size_t scheme_end = argument.find("://");
  bool has_scheme =
      scheme_end != std::string::npos && scheme_end < argument.find_first_of("/?#", 0) && scheme_end != 0;
  return has_scheme ? argument : "http://" + argument;
}

}  // namespace sluice::command
