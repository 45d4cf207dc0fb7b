// SPDX-License-Identifier: MIT
#pragma once

namespace sluice::base {

/// Prints the broken invariant with its place to standard error and aborts.
[[noreturn]] void check_failed(const char* what, const char* file, int line);

/// Aborts when an invariant of the engine does not hold. On in every build: its cost is one branch.
/// (clang 14 has no std::source_location, hence the builtins.)
inline void check(bool holds, const char* what, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (!holds) [[unlikely]]
    check_failed(what, file, line);
}

}  // namespace sluice::base
