# The include rules see what they are there to see: a small tree with one break of each kind.
cmake_minimum_required(VERSION 3.25)
string(RANDOM LENGTH 12 name)
file(REAL_PATH "." here)
set(tree "${here}/include_rules_${name}")

function(write file text)
  file(WRITE "${tree}/${file}" "${text}\n")
endfunction()
write(core/array.h "#pragma once\n#include <vector>\n#include <sys/stat.h>")
write(core/round_a.h "#include \"core/round_b.h\"")
write(core/round_b.h "#include \"core/round_a.h\"")
write(core/upward.cpp "\n#include \"autograd/tape.h\"")
write(autograd/tape.h "#include \"core/array.h\"\n#include \"core/missing.h\"")
write(datasets/frame.cpp "#include \"core/array.h\"\n#include \"autograd/tape.h\"\n#include <zlib.h>")
write(datasets/extxyz.cpp "#include <zlib.h>\n#include \"extxyz.h\"")
write(nn/layers.h "#include <fmt/core.h>\nint x[]{1; // a ] line; with [ odd \\ signs\n\tint tab;")
write(equivariant/models/mace.cpp "#include <torch/torch.h>")
string(REPEAT "int x;\n" 401 long)
write(trainers/long.cpp "${long}")

set(expected
  "core/upward.cpp:2: core may not include autograd (\"autograd/tape.h\"), only: core"
  "autograd/tape.h:2: \"core/missing.h\": no such file"
  "datasets/frame.cpp:2: datasets may not include autograd (\"autograd/tape.h\"), only: datasets, core"
  "datasets/frame.cpp:3: <zlib.h>: zlib has one door: files matching ^(datasets/extxyz[^/]*[.]cpp)$"
  "datasets/extxyz.cpp:2: \"extxyz.h\": write includes from the root: \"core/array.h\""
  "nn/layers.h:1: <fmt/core.h>: fmt has one door: files matching ^(.*[.]cpp)$"
  "nn/layers.h:3: a tab, where spaces indent"
  "equivariant/models/mace.cpp:1: <torch/torch.h>: an outside library without a door"
  "trainers/long.cpp:402: 402 lines, at most 400: split it by family"
  "core/round_a.h:1: headers include each other in a circle, among: core/round_a.h, core/round_b.h"
  "10 breaks of the include rules")
execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${tree} -P ${CMAKE_CURRENT_LIST_DIR}/include_rules.cmake
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
file(REMOVE_RECURSE "${tree}")
if(result EQUAL 0)
  message(FATAL_ERROR "the rules passed a tree that breaks them")
endif()
foreach(line IN LISTS expected)
  string(FIND "${output}" "${line}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "expected: ${line}\nfound:\n${output}")
  endif()
endforeach()
