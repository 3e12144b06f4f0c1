# README.md shows docs/example.cpp and what it prints. -DEXAMPLE=the built program
cmake_minimum_required(VERSION 3.25)
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
file(READ "${root}/README.md" readme)
file(READ "${root}/docs/example.cpp" code)
string(REGEX REPLACE "^//[^\n]*\n" "" code "${code}")  # its first line, a comment
execute_process(COMMAND "${EXAMPLE}" OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${EXAMPLE} ended with ${result}")
endif()
string(FIND "${readme}" "```cpp\n${code}```\n```\n${output}```\n" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not show docs/example.cpp and its output, which is\n${output}")
endif()
