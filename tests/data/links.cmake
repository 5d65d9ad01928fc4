# Tests that decode films link the libraries that data/ keeps to itself.
if(name STREQUAL "data_test_film")
  target_link_libraries(${name} PRIVATE PkgConfig::AV PkgConfig::PNG)
endif()
# A test that damages shards from inside calls HDF5 itself.
if(name STREQUAL "data_test_verify")
  target_include_directories(${name} PRIVATE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(${name} PRIVATE ${HDF5_C_LIBRARIES})
endif()
