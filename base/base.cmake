# What all others stand on.
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

set(REVISION ${GENERATED}/base/revision.c)
add_custom_target(orr_revision BYPRODUCTS ${REVISION} COMMENT ""
                  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${REVISION} -P ${CMAKE_SOURCE_DIR}/base/revision.cmake)
orr_library(base LINKS PkgConfig::JANSSON LIBRARIES PkgConfig::XXHASH Threads::Threads m INCLUDES ${RANDOM123_INCLUDE}
            SOURCES ${REVISION})
add_dependencies(orr_base orr_revision)
set_source_files_properties(base/version.c PROPERTIES COMPILE_DEFINITIONS
  "ORR_BUILT_VERSION=\"${PROJECT_VERSION}\";ORR_BUILT_WITH=\"${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}\"")
