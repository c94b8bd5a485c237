# Designated initialisers leave fields at their defaults on purpose; the other two are false alarms of GCC 12 about
# std::string (its bugs 105329 and 105651).
set(BOUTON_WARNINGS -Wall -Wextra -Wno-missing-field-initializers -Wno-restrict -Wno-stringop-overflow)

# bouton_module(NAME DEPENDS modules... LIBRARIES targets... PRIVATE_LIBRARIES targets...)
# One static library `bouton_NAME` from src/NAME/*.cpp, alias Bouton::NAME, installed as component NAME of the package.
function(bouton_module name)
  cmake_parse_arguments(M "" "" "DEPENDS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)   # a folder of headers alone
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
    file(CONFIGURE OUTPUT ${sources} CONTENT "")
  endif()
  add_library(bouton_${name} STATIC ${sources})
  set_target_properties(bouton_${name} PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME ${name})
  add_library(Bouton::${name} ALIAS bouton_${name})
  target_include_directories(bouton_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(bouton_${name} PUBLIC cxx_std_20)
  target_compile_options(bouton_${name} PRIVATE ${BOUTON_WARNINGS} -Wpedantic $<$<BOOL:${BOUTON_NATIVE}>:-march=native>)
  list(TRANSFORM M_DEPENDS PREPEND bouton_ OUTPUT_VARIABLE depends)
  target_link_libraries(bouton_${name} PUBLIC ${depends} ${M_LIBRARIES} PRIVATE ${M_PRIVATE_LIBRARIES})
  bouton_export_module(${name} DEPENDS ${M_DEPENDS})
endfunction()

# bouton_export_module(NAME DEPENDS modules...)
# Makes the target bouton_NAME the component NAME of the installed package. bouton_module does this itself.
function(bouton_export_module name)
  cmake_parse_arguments(M "" "" "DEPENDS" ${ARGN})
  install(TARGETS bouton_${name} EXPORT Bouton-${name} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  set_property(GLOBAL APPEND PROPERTY BOUTON_MODULES ${name})
  set_property(GLOBAL PROPERTY BOUTON_MODULE_${name}_DEPENDS ${M_DEPENDS})
endfunction()

# What most of our code needs of LibTorch. <torch/torch.h>, with its optimisers, data loaders and serialisation, makes a
# precompiled header of 630 MB and three seconds more for every source file; a file that needs more of it asks by name.
set(BOUTON_TORCH_HEADERS <torch/types.h> <torch/csrc/autograd/custom_function.h> <torch/nn/module.h> <torch/nn/pimpl.h>)

# bouton_use_torch_headers(target)
# Gives a program LibTorch's headers precompiled: they are most of the time such a program takes to compile. Programs
# share one precompiled header; it cannot be the library's, whose code is position independent in another way.
function(bouton_use_torch_headers target)
  if(NOT TARGET bouton_torch_headers)
    set(source ${PROJECT_BINARY_DIR}/bouton_torch_headers.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "int main() { return 0; }\n")
    add_executable(bouton_torch_headers EXCLUDE_FROM_ALL ${source})
    target_compile_features(bouton_torch_headers PRIVATE cxx_std_20)
    target_link_libraries(bouton_torch_headers PRIVATE torch)
    target_compile_options(bouton_torch_headers PRIVATE -fopenmp)
    target_precompile_headers(bouton_torch_headers PRIVATE ${BOUTON_TORCH_HEADERS})
  endif()
  target_compile_options(${target} PRIVATE -fopenmp)
  target_precompile_headers(${target} REUSE_FROM bouton_torch_headers)
endfunction()

# bouton_test(NAME source.cpp LIBRARIES targets... LABELS labels...)
# One GoogleTest program; each of its cases becomes a CTest test. Label "slow" keeps it out of the quick suite.
function(bouton_test name source)
  cmake_parse_arguments(T "" "" "LIBRARIES;LABELS" ${ARGN})
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name} PRIVATE ${BOUTON_WARNINGS})
  target_compile_definitions(${name} PRIVATE BOUTON_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BOUTON_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${T_LIBRARIES} GTest::gtest GTest::gtest_main)
  if(T_LIBRARIES MATCHES "(bouton_|Bouton::)(learn|recipes|adapt)")
    bouton_use_torch_headers(${name})
  endif()
  set(properties TIMEOUT 300)
  if(T_LABELS)   # an empty value would be dropped, and the next word taken for the label
    list(JOIN T_LABELS "\\;" labels)
    list(APPEND properties LABELS "${labels}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
  set_property(GLOBAL APPEND PROPERTY BOUTON_TEST_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${source})
endfunction()
