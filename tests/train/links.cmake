# Tests that start the program itself.
if(name MATCHES "^train_test_(loop_mpi|kill|cli|eval)$")
  add_dependencies(${name} orrery)
endif()
if(name STREQUAL "train_test_events")
  target_include_directories(${name} PRIVATE ${GENERATED})
  target_link_libraries(${name} PRIVATE PkgConfig::PROTOBUF_C)
endif()
