// SPDX-License-Identifier: MIT
#include "bench/common/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace bench {
namespace {

constexpr std::string_view kScheme = "http://";

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

template <class Number>
Number parsed(std::string_view name, std::string_view text, Number least, Number most) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number >= least && number <= most))
    throw std::invalid_argument(std::string(name) + " takes a number from " + std::to_string(least) + " to " +
                                std::to_string(most) + ", not " + quoted(text));
  return number;
}

// "http://host:port/path" in its parts; an IPv6 host is written in brackets, as in any URL.
void split_url(Load& load) {
  std::string_view rest = load.url;
  if (!rest.starts_with(kScheme))
    throw std::invalid_argument("the URL " + quoted(rest) + " must start with http://");
  rest.remove_prefix(kScheme.size());
  size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash);
  load.path = slash == rest.size() ? "/" : rest.substr(slash);

  size_t bracket = authority.rfind(']');
  size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  load.host = authority.substr(0, colon);
  load.port = colon == authority.npos ? "80" : authority.substr(colon + 1);
  if (load.host.starts_with('[')) load.host = load.host.substr(1, load.host.size() - 2);
  if (load.host.empty()) throw std::invalid_argument("the URL " + quoted(load.url) + " has no host");
  parsed<unsigned>("the port of the URL", load.port, 1, 65535);
}

}  // namespace

bool CommandLine::flag(std::string_view name) {
  return std::erase(words_, name) > 0;
}

std::optional<std::string_view> CommandLine::value(std::string_view name) {
  auto found = std::find(words_.begin(), words_.end(), name);
  if (found == words_.end()) return std::nullopt;
  if (found + 1 == words_.end()) throw std::invalid_argument(std::string(name) + " needs a value");
  std::string_view value = found[1];
  words_.erase(found, found + 2);
  return value;
}

unsigned CommandLine::number(std::string_view name, unsigned fallback, unsigned least, unsigned most) {
  auto text = value(name);
  return text ? parsed(name, *text, least, most) : fallback;
}

std::string_view CommandLine::positional(std::string_view what) {
  auto is_plain = [](std::string_view word) { return !word.starts_with('-'); };
  auto found = std::find_if(words_.begin(), words_.end(), is_plain);
  if (found == words_.end()) throw std::invalid_argument("missing " + std::string(what));
  std::string_view word = *found;
  words_.erase(found);
  return word;
}

void CommandLine::finish() const {
  if (!words_.empty()) throw std::invalid_argument("unexpected " + quoted(words_.front()));
}

double take_seconds(CommandLine& line) {
  std::string_view seconds = line.value("-d").value_or("3");
  if (seconds.ends_with('s')) seconds.remove_suffix(1);
  return parsed("-d", seconds, 0.01, 3600.0);
}

Load take_load(CommandLine& line) {
  Load load;
  load.connections = line.number("-c", 64, 1, 10'000);
  load.seconds = take_seconds(line);
  load.url = line.positional("URL");
  split_url(load);
  return load;
}

int guarded_main(int argc, char** argv, void (*body)(CommandLine&)) {
  try {
    CommandLine line(argc, argv);
    body(line);
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace bench
