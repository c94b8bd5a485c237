# Installs the build into an empty prefix and builds a project of a user's against it with find_package(Bouton).
cmake_minimum_required(VERSION 3.25)
set(place ${WORK}/package-${CONSUMER})
file(REMOVE_RECURSE ${place})

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command} failed:\n${text}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${place}/prefix)
run(${CMAKE_COMMAND} -G Ninja -S ${ROOT}/tests/package/${CONSUMER} -B ${place}/build -DCMAKE_BUILD_TYPE=Release
  -DCMAKE_PREFIX_PATH=${place}/prefix)
run(${CMAKE_COMMAND} --build ${place}/build)
run(${place}/build/consumer)
# What is installed must not point back into the tree it came from.
file(GLOB_RECURSE package_files ${place}/prefix/*.cmake)
foreach(file ${package_files})
  file(READ ${file} text)
  string(FIND "${text}" "${ROOT}/" at)
  if(NOT at LESS 0)
    message(FATAL_ERROR "${file} names the source tree")
  endif()
endforeach()
file(REMOVE_RECURSE ${place})
