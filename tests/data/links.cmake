# Tests that decode films link the libraries that data/ keeps to itself.
if(name MATCHES "^data_test_(film|sheet)$")
  target_link_libraries(${name} PRIVATE PkgConfig::AV PkgConfig::PNG)
endif()
# Tests that damage shards from inside, or count what HDF5 holds, call HDF5 themselves.
if(name MATCHES "^data_test_(verify|faults|import_faults|remote_faults)$")
  target_include_directories(${name} PRIVATE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(${name} PRIVATE ${HDF5_C_LIBRARIES})
endif()
