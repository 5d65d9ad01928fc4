# Tests that decode films link the libraries that data/ keeps to itself.
if(name MATCHES "^data_(pictures_test_film|set_test_sheet)$")
  target_link_libraries(${name} PRIVATE PkgConfig::AV PkgConfig::PNG)
endif()
# Tests that damage shards from inside, or count what HDF5 holds, call HDF5 themselves.
if(name MATCHES "^data_(set_test_verify|(clips|import|remote)_test_faults)$")
  target_include_directories(${name} PRIVATE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(${name} PRIVATE ${HDF5_C_LIBRARIES})
endif()
