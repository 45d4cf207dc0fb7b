# What tests/CMakeLists.txt is written with.

# clang 14 cannot place its shadow memory when the kernel randomises addresses by more than 28 bits,
# as some distributions make it do: run sanitized programs without randomisation there.
if(SLUICE_SANITIZERS AND EXISTS /proc/sys/vm/mmap_rnd_bits)
  file(STRINGS /proc/sys/vm/mmap_rnd_bits SLUICE_MMAP_RND_BITS LIMIT_COUNT 1)
  if(SLUICE_MMAP_RND_BITS GREATER 28)
    set(CMAKE_CROSSCOMPILING_EMULATOR setarch -R)
  endif()
endif()

# sluice_program_name(<result> <source>): tests/wire/head_test.cpp -> wire_head_test
function(sluice_program_name result source)
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/tests ${source})
  string(REGEX REPLACE "\\.cpp$" "" name ${name})
  string(REPLACE "/" "_" name ${name})
  set(${result} ${name} PARENT_SCOPE)
endfunction()

pkg_check_modules(LIBBROTLIENC REQUIRED IMPORTED_TARGET libbrotlienc)

# sluice_add_test_program(<program> <source>): the include paths, libraries and macros that every test program has.
function(sluice_add_test_program program source)
  add_executable(${program} ${source})
  sluice_configure_target(${program})
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${program} PRIVATE SLUICE_TEST_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data"
                                                SLUICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${program} PRIVATE sluice::sluice PkgConfig::LIBURING Llhttp::llhttp
                                           OpenSSL::SSL ZLIB::ZLIB PkgConfig::LIBBROTLIENC PkgConfig::LIBZSTD)
  if(SLUICE_SANITIZERS)
    target_link_libraries(${program} PRIVATE sluice_sanitizer_options)
  endif()
endfunction()

# The sanitizers' own options are compiled in, so that a program run by hand behaves as it does under ctest.
if(SLUICE_SANITIZERS)
  find_program(SLUICE_SYMBOLIZER NAMES llvm-symbolizer-14 llvm-symbolizer)
  add_library(sluice_sanitizer_options OBJECT ${PROJECT_SOURCE_DIR}/tests/sanitizer_options.cpp)
  if(SLUICE_SYMBOLIZER)
    target_compile_definitions(sluice_sanitizer_options PRIVATE SLUICE_SYMBOLIZER="${SLUICE_SYMBOLIZER}")
  endif()
endif()

# sluice_add_syntax_test(<name> <compiler argument>...): passes when the arguments compile, as users would compile them.
function(sluice_add_syntax_test name)
  add_test(NAME ${SLUICE_TEST_PREFIX}${name}
           COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror
                   -I${PROJECT_SOURCE_DIR}/include ${ARGN}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# sluice_add_rejected_test(<source>): the compiler must refuse the source, with an error that matches the regular
# expression in its line "// rejected: <regex>"; so a typing error does not pass for the refusal that was meant.
function(sluice_add_rejected_test source)
  sluice_program_name(name ${source})
  file(STRINGS ${source} expected REGEX "^// rejected: " LIMIT_COUNT 1)
  if(NOT expected)
    message(FATAL_ERROR "${source} lacks its line: // rejected: <regular expression of the compiler's error>")
  endif()
  string(REPLACE "// rejected: " "" expected "${expected}")
  sluice_add_syntax_test(${name} -I${PROJECT_SOURCE_DIR} ${source})
  set_tests_properties(${SLUICE_TEST_PREFIX}${name} PROPERTIES PASS_REGULAR_EXPRESSION "error: .*${expected}")
endfunction()
