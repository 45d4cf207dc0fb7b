// SPDX-License-Identifier: MIT
#pragma once

/// All of sluice.

#include <sluice/body.hpp>
#include <sluice/chunk.hpp>
#include <sluice/client.hpp>
#include <sluice/combinators.hpp>
#include <sluice/engine.hpp>
#include <sluice/error.hpp>
#include <sluice/generator.hpp>
#include <sluice/headers.hpp>
#include <sluice/method.hpp>
#include <sluice/options.hpp>
#include <sluice/request.hpp>
#include <sluice/response.hpp>
#include <sluice/result.hpp>
#include <sluice/scope.hpp>
#include <sluice/shard.hpp>
#include <sluice/task.hpp>
#include <sluice/text.hpp>
#include <sluice/time.hpp>
#include <sluice/tls.hpp>
#include <sluice/url.hpp>
