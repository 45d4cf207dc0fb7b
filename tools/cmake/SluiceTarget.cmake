# sluice_configure_target(<target>): the warnings, sanitizers and language rules of every target of the project.
function(sluice_configure_target target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align -Wunused -Woverloaded-virtual
    -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough -Wundef -Wvla
    $<$<BOOL:${SLUICE_WARNINGS_AS_ERRORS}>:-Werror>)
  if(SLUICE_SANITIZERS)
    target_compile_options(${target} PUBLIC -fsanitize=${SLUICE_SANITIZERS} -fno-sanitize-recover=all
                           -fno-omit-frame-pointer
                           # clang 14 cannot place its function type checks in coroutines
                           $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
    target_link_options(${target} PUBLIC -fsanitize=${SLUICE_SANITIZERS})
  endif()
endfunction()
