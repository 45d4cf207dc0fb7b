# Finds llhttp: a packaged library (libllhttp-dev), or the C sources that Debian 12 ships in node-llhttp.
# Defines Llhttp::llhttp. Built from source it is an object library, so that libsluice.a carries it.
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include PATH_SUFFIXES llhttp)
find_library(LLHTTP_LIBRARY NAMES llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
if(LLHTTP_LIBRARY)
  find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR)
else()
  find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libllhttp-dev, or node-llhttp on Debian 12")
endif()

if(Llhttp_FOUND AND NOT TARGET Llhttp::llhttp)
  if(LLHTTP_LIBRARY)
    add_library(Llhttp::llhttp UNKNOWN IMPORTED)
    set_target_properties(Llhttp::llhttp PROPERTIES IMPORTED_LOCATION ${LLHTTP_LIBRARY})
    target_include_directories(Llhttp::llhttp INTERFACE ${LLHTTP_INCLUDE_DIR})
  else()
    add_library(sluice_llhttp OBJECT
      ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
    target_include_directories(sluice_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    if(SLUICE_SANITIZERS)
      target_compile_options(sluice_llhttp PRIVATE -fsanitize=${SLUICE_SANITIZERS} -fno-sanitize-recover=all)
    endif()
    add_library(Llhttp::llhttp ALIAS sluice_llhttp)
  endif()
endif()
