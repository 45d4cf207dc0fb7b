// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

#include <sluice/error.hpp>

namespace sluice::base {

/// What the machine refuses while something is set up: a sentence, and the errno behind it.
inline Error system_error(int code, std::string message) {
  Error::Facts facts(ErrorKind::system_error, Phase::setup, std::move(message));
  facts.system_code = code;
  return Error(std::move(facts));
}

}  // namespace sluice::base
