# Clips: one library a room (docs/architecture.md), each linked with what lies below it and with the
# outside libraries that the room may know. orr_data is all of them.
orr_room(data shard LINKS orr_base LIBRARIES ${HDF5_C_LIBRARIES} ZLIB::ZLIB INCLUDES ${HDF5_C_INCLUDE_DIRS})
orr_room(data remote LINKS orr_base LIBRARIES PkgConfig::CURL Threads::Threads)
orr_room(data pictures LINKS orr_base LIBRARIES PkgConfig::AV PkgConfig::PNG PkgConfig::JPEG m)
orr_room(data set LINKS orr_data_shard orr_data_remote orr_data_pictures LIBRARIES m)
orr_room(data clips LINKS orr_data_set LIBRARIES Threads::Threads m INCLUDES ${HDF5_C_INCLUDE_DIRS})
# Parquet files are nobody else's business: a library of their own below the room's.
file(GLOB PARQUET_SOURCES CONFIGURE_DEPENDS data/import/parquet/*.c)
add_library(orr_data_parquet STATIC ${PARQUET_SOURCES})
target_link_libraries(orr_data_parquet PUBLIC orr_base PRIVATE PkgConfig::PARQUET_CODECS ZLIB::ZLIB)
orr_room(data import LINKS orr_data_set orr_data_parquet LIBRARIES ${HDF5_C_LIBRARIES} m INCLUDES ${HDF5_C_INCLUDE_DIRS})
orr_room(data sim LINKS orr_data_set LIBRARIES m)
include(data/sim/sim.cmake)
add_library(orr_data INTERFACE)
target_link_libraries(orr_data INTERFACE orr_data_clips orr_data_import orr_data_sim)
