# The library for every x86-64 processor, and again for AVX2 (x86-64-v3) and AVX-512 (x86-64-v4). The
# dynamic loader (glibc 2.33 or later) looks into glibc-hwcaps/ beside a library first and takes the
# best one that the processor can run; GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2 takes a plainer one.
set(folder lib/casimir)
set_target_properties(casimir_lib PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder} POSITION_INDEPENDENT_CODE ON)
install(TARGETS casimir_lib LIBRARY DESTINATION ${folder})
set_target_properties(casimir PROPERTIES INSTALL_RPATH "$ORIGIN/../${folder}")

foreach(level v3 v4)
  set(target casimir_${level})
  add_library(${target} SHARED ${CASIMIR_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME casimir POSITION_INDEPENDENT_CODE ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder}/glibc-hwcaps/x86-64-${level})
  # All that the plain one has, and last the instructions: the last -march counts.
  foreach(property INCLUDE_DIRECTORIES LINK_LIBRARIES COMPILE_DEFINITIONS COMPILE_OPTIONS)
    get_target_property(values casimir_lib ${property})
    set_target_properties(${target} PROPERTIES ${property} "${values}")
  endforeach()
  target_compile_options(${target} PRIVATE -march=x86-64-${level} -mprefer-vector-width=512)
  add_dependencies(casimir ${target})
  install(TARGETS ${target} LIBRARY DESTINATION ${folder}/glibc-hwcaps/x86-64-${level})
endforeach()
