# What `cmake --install` puts down: the headers, one archive a module, the catalogue, the recipes, the command, and the
# package files that make find_package(Bouton COMPONENTS ...) work.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Bouton)
get_property(modules GLOBAL PROPERTY BOUTON_MODULES)
set(BOUTON_MODULE_TABLE "")
foreach(module ${modules})
  install(EXPORT Bouton-${module} NAMESPACE Bouton:: DESTINATION ${package_folder})
  get_property(depends GLOBAL PROPERTY BOUTON_MODULE_${module}_DEPENDS)
  string(APPEND BOUTON_MODULE_TABLE "set(_bouton_${module}_depends ${depends})\n")
endforeach()
set(BOUTON_INSTALLED_MODULES ${modules})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/BoutonConfig.cmake.in ${PROJECT_BINARY_DIR}/BoutonConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/BoutonConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/BoutonConfig.cmake ${PROJECT_BINARY_DIR}/BoutonConfigVersion.cmake
  DESTINATION ${package_folder})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/bouton DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/catalogue DESTINATION ${CMAKE_INSTALL_DATADIR}/bouton FILES_MATCHING PATTERN *.mech)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/bouton
  FILES_MATCHING PATTERN *.toml PATTERN *.mech)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET bouton)
  install(TARGETS bouton RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
