# What all others stand on.
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
orr_library(base LINKS PkgConfig::JANSSON LIBRARIES PkgConfig::XXHASH Threads::Threads m INCLUDES ${RANDOM123_INCLUDE})
