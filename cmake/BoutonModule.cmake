# bouton_module(NAME DEPENDS modules... LIBRARIES targets... PRIVATE_LIBRARIES targets...)
# One static library `bouton_NAME` from src/NAME/*.cpp, alias Bouton::NAME.
function(bouton_module name)
  cmake_parse_arguments(M "" "" "DEPENDS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(bouton_${name} STATIC ${sources})
  set_target_properties(bouton_${name} PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME ${name})
  add_library(Bouton::${name} ALIAS bouton_${name})
  target_include_directories(bouton_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(bouton_${name} PUBLIC cxx_std_20)
  target_compile_options(bouton_${name} PRIVATE -Wall -Wextra -Wpedantic)
  list(TRANSFORM M_DEPENDS PREPEND bouton_ OUTPUT_VARIABLE depends)
  target_link_libraries(bouton_${name} PUBLIC ${depends} ${M_LIBRARIES} PRIVATE ${M_PRIVATE_LIBRARIES})
endfunction()

# bouton_test(NAME source.cpp LIBRARIES targets... LABELS labels...)
# One GoogleTest program; each of its cases becomes a CTest test. Label "slow" keeps it out of the quick suite.
function(bouton_test name source)
  cmake_parse_arguments(T "" "" "LIBRARIES;LABELS" ${ARGN})
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name} PRIVATE -Wall -Wextra)
  target_compile_definitions(${name} PRIVATE BOUTON_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BOUTON_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${T_LIBRARIES} GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${T_LABELS}" TIMEOUT 300)
  set_property(GLOBAL APPEND PROPERTY BOUTON_TEST_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${source})
endfunction()
