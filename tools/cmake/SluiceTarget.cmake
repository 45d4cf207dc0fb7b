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
  if(SLUICE_LINK_TIME_OPTIMISATION)
    target_link_options(${target} PRIVATE -fno-lto)  # tests link fast, from the ordinary code in libsluice.a
  endif()
endfunction()

# sluice_link_optimised(<target>): a library carries link-time code beside the ordinary code, whoever links it decides;
# a program is optimised as a whole, with the library in it.
function(sluice_link_optimised target)
  if(SLUICE_LINK_TIME_OPTIMISATION)
    target_compile_options(${target} PRIVATE -flto=1 -ffat-lto-objects)
    get_target_property(options ${target} LINK_OPTIONS)
    list(REMOVE_ITEM options -fno-lto)
    set_target_properties(${target} PROPERTIES LINK_OPTIONS "${options};-flto=1;-flto-partition=one")
  endif()
endfunction()
