# BLIS, for f64 matrix products with kernels that the program chooses. Debian's serial, pthread and
# openmp builds all do: threads are the program's own. (Their usual place, /usr/include/<triplet>/blis.h,
# is a link that the alternatives system keeps; it may be missing, so the builds' own folders count too.)
set(BLIS_FOLDERS blis-serial blis-pthread blis-openmp blis)
set(BLIS_INCLUDE_SUFFIXES ${BLIS_FOLDERS})
foreach(folder ${BLIS_FOLDERS})
  list(APPEND BLIS_INCLUDE_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/${folder})
endforeach()
find_path(BLIS_INCLUDE_DIR blis.h PATH_SUFFIXES ${BLIS_INCLUDE_SUFFIXES})
find_library(BLIS_LIBRARY blis PATH_SUFFIXES ${BLIS_FOLDERS})
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BLIS REQUIRED_VARS BLIS_LIBRARY BLIS_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "scripts/install-dependencies installs it (libblis-serial-dev)")
if(BLIS_FOUND AND NOT TARGET BLIS::BLIS)
  add_library(BLIS::BLIS UNKNOWN IMPORTED)
  set_target_properties(BLIS::BLIS PROPERTIES IMPORTED_LOCATION ${BLIS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${BLIS_INCLUDE_DIR})
endif()
