# Clips, films and the simulator. MuJoCo is optional: without it `orrery data generate` says so.
file(GLOB DATA_SOURCES CONFIGURE_DEPENDS data/*.c)
add_library(orr_data STATIC ${DATA_SOURCES})
target_include_directories(orr_data PRIVATE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(orr_data PUBLIC orr_base PRIVATE ${HDF5_C_LIBRARIES} PkgConfig::AV PkgConfig::PNG PkgConfig::JPEG PkgConfig::CURL ZLIB::ZLIB Threads::Threads m)
include(data/tabletop.cmake)
