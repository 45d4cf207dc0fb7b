// SPDX-License-Identifier: MIT
#pragma once

/// The only place, besides engine/ring/abi.hpp, where the preprocessor asks what it is compiled with.

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef SLUICE_ADDRESS_SANITIZER
#define SLUICE_ADDRESS_SANITIZER 0
#endif

#ifdef __SSE2__
#define SLUICE_SSE2 1
#else
#define SLUICE_SSE2 0
#endif

#define SLUICE_NOINLINE __attribute__((noinline))
