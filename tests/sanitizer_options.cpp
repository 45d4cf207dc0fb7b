// The sanitizers ask the program for their default options; the environment still overrides these.

#ifdef SLUICE_SYMBOLIZER
#define SLUICE_COMMON_OPTIONS "external_symbolizer_path=" SLUICE_SYMBOLIZER
#else
#define SLUICE_COMMON_OPTIONS ""
#endif

extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:" SLUICE_COMMON_OPTIONS;
}

extern "C" const char* __ubsan_default_options() {
  return "print_stacktrace=1:" SLUICE_COMMON_OPTIONS;
}

extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1:" SLUICE_COMMON_OPTIONS;
}
