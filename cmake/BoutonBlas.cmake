# Which OpenBLAS our programs load.
#
# Debian's default OpenBLAS keeps a thread pool of its own beside LibTorch's OpenMP pool; two threads then run slower
# than one. The OpenMP variant shares the pool. Where it is installed, our programs look there first, whatever the
# system-wide alternative is: so nothing outside this project has to be changed. An old-style RPATH is needed because it
# also covers the libraries LibTorch itself asks for.
if(PROJECT_IS_TOP_LEVEL)
  find_path(BOUTON_OPENBLAS_OPENMP_FOLDER libopenblas.so.0 NO_DEFAULT_PATH
    PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
  mark_as_advanced(BOUTON_OPENBLAS_OPENMP_FOLDER)
  if(BOUTON_OPENBLAS_OPENMP_FOLDER)
    list(APPEND CMAKE_BUILD_RPATH ${BOUTON_OPENBLAS_OPENMP_FOLDER})
    list(APPEND CMAKE_INSTALL_RPATH ${BOUTON_OPENBLAS_OPENMP_FOLDER})
    add_link_options(-Wl,--disable-new-dtags)
  endif()
endif()
