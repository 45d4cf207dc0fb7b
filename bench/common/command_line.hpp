// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// A command line from which options are taken one by one; finish() refuses what nobody took.
// Every function throws std::invalid_argument with a message for the user.
class CommandLine {
 public:
  CommandLine(int argc, char** argv) : words_(argv + 1, argv + argc) {}

  bool flag(std::string_view name);
  std::optional<std::string_view> value(std::string_view name);
  unsigned number(std::string_view name, unsigned fallback, unsigned least, unsigned most);
  std::string_view positional(std::string_view what);
  void finish() const;

 private:
  std::vector<std::string_view> words_;
};

// What every client of the comparison is told: where to go, over how many connections, for how long.
struct Load {
  std::string url, host, port, path;
  unsigned connections;
  double seconds;
};

double take_seconds(CommandLine& line);
Load take_load(CommandLine& line);

// Runs a program's body and turns what it throws into a message and an exit status (2: bad command line).
int guarded_main(int argc, char** argv, void (*body)(CommandLine&));

}  // namespace bench
