// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <sluice/client.hpp>

#include "tools/command/block_reader.hpp"
#include "tools/command/get.hpp"

namespace sluice::command {

/// Throws Failure when arguments contradict each other, before anything is done.
void check_arguments(const GetArguments& arguments);

ClientOptions client_options(const GetArguments& arguments);

/// The URL, completed; as with curl, a file that is uploaded to a folder (URL/) keeps its name.
std::string url_of(const GetArguments& arguments);

/// Throws Failure when a file cannot be read. `input` is what an upload from standard input takes its bytes
/// from; it must outlive the exchange.
Request make_request(AsyncClient& client, const GetArguments& arguments, BlockReader* input);

/// The name of the last part of a URL's path, decoded. Throws Failure when it is none that a file could have:
/// what a URL says must not lead out of the folder.
std::string file_name_of(const Url& url);

}  // namespace sluice::command
