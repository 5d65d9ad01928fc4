# Clips: one library a room (docs/architecture.md), each linked with what lies below it and with the
# outside libraries that the room may know. orr_data is all of them.
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(AV REQUIRED IMPORTED_TARGET libavcodec libavformat libavutil libswscale)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libturbojpeg)
pkg_check_modules(PARQUET_CODECS REQUIRED IMPORTED_TARGET snappy libzstd)

orr_library(data/shard LINKS orr_base LIBRARIES ${HDF5_C_LIBRARIES} ZLIB::ZLIB INCLUDES ${HDF5_C_INCLUDE_DIRS})
orr_library(data/remote LINKS orr_base LIBRARIES PkgConfig::CURL Threads::Threads)
orr_library(data/pictures LINKS orr_base LIBRARIES PkgConfig::AV PkgConfig::PNG PkgConfig::JPEG m)
orr_library(data/sound LINKS orr_base LIBRARIES PkgConfig::AV m)
include(data/sound/sound.cmake)
orr_library(data/set LINKS orr_data_shard orr_data_remote orr_data_pictures LIBRARIES m)
orr_library(data/clips LINKS orr_data_set LIBRARIES Threads::Threads m INCLUDES ${HDF5_C_INCLUDE_DIRS})
# Parquet files are nobody else's business: a library of their own below the room's.
orr_library(data/import/parquet LINKS orr_base LIBRARIES PkgConfig::PARQUET_CODECS ZLIB::ZLIB)
orr_library(data/import/table LINKS orr_data_import_parquet)
# A format of recordings is one file there and one row in data/import/import.h.
file(GLOB formats CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} data/import/formats/*.c)
orr_library(data/import SOURCES ${formats} LINKS orr_data_set orr_data_sound orr_data_import_table LIBRARIES ${HDF5_C_LIBRARIES} m INCLUDES ${HDF5_C_INCLUDE_DIRS})
orr_library(data/sim LINKS orr_data_set orr_data_sound LIBRARIES m)
include(data/sim/sim.cmake)
add_library(orr_data INTERFACE)
target_link_libraries(orr_data INTERFACE orr_data_clips orr_data_import orr_data_sim)
