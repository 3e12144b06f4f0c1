# configs/quickstart.yaml trains to its recorded losses and to the errors that it promises.
# -DPROGRAM=casimir -DFOLDER=where to work
#
# The mean loss of the first 40 steps is the recorded number to 1e-3: rounding, which differs between
# processors and number types, has not grown further by then. At the end it has, and there the
# promise counts: a force RMSE on frames that were not seen of at most 3 % of the forces' spread.
cmake_minimum_required(VERSION 3.25)
set(RECORDED 141.144)
set(MOST_PERCENT 3)
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}/runs/silicon")

function(casimir)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} WORKING_DIRECTORY "${FOLDER}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "casimir ${ARGN} ended with ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
casimir(data make silicon --out runs/silicon/train.xyz --seed 1)
casimir(data make silicon --out runs/silicon/test.xyz --seed 2 --frames 100)
casimir(train "${root}/configs/quickstart.yaml" train.max_steps=40 --run-dir runs/short)
casimir(train "${root}/configs/quickstart.yaml")
casimir(check runs/quickstart)
casimir(evaluate runs/quickstart runs/silicon/test.xyz)
message("${output}")

# Decimal fractions as integers of 1e-9, because cmake has no others.
function(billionths text out)
  if(NOT text MATCHES "^([0-9]+)[.]?([0-9]*)$")
    message(FATAL_ERROR "not a plain decimal number: ${text}")
  endif()
  string(SUBSTRING "${CMAKE_MATCH_2}000000000" 0 9 fraction)
  math(EXPR value "${CMAKE_MATCH_1} * 1000000000 + 1${fraction} - 1000000000")
  set(${out} ${value} PARENT_SCOPE)
endfunction()

file(STRINGS "${FOLDER}/runs/short/metrics.jsonl" line)
string(JSON loss GET "${line}" loss)
billionths(${loss} found)
billionths(${RECORDED} recorded)
math(EXPR least "${recorded} - ${recorded} / 1000")
math(EXPR most "${recorded} + ${recorded} / 1000")
message("mean loss of 40 steps: ${loss}, recorded ${RECORDED}")
if(found LESS least OR found GREATER most)
  message(FATAL_ERROR "the loss is off by more than 1e-3")
endif()

# all, frames, E RMSE, E MAE, E RMSE, E MAE, F RMSE, F MAE, F RMSE in %
if(NOT output MATCHES "\nall( +[0-9.]+)( +[0-9.]+)( +[0-9.]+)( +[0-9.]+)( +[0-9.]+)( +[0-9.]+)( +[0-9.]+) +([0-9.]+) ")
  message(FATAL_ERROR "evaluate printed no row of all frames")
endif()
billionths(${CMAKE_MATCH_8} found)
billionths(${MOST_PERCENT} most)
if(found GREATER most)
  message(FATAL_ERROR "force RMSE: ${CMAKE_MATCH_8} % of the spread, at most ${MOST_PERCENT} %")
endif()
