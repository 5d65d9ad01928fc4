# Tests that start the program itself.
if(name MATCHES "^train_test_(loop_mpi|kill|cli|eval|relay)$")
  add_dependencies(${name} orrery)
endif()
if(name STREQUAL "train_test_events")
  target_include_directories(${name} PRIVATE ${GENERATED})
  target_link_libraries(${name} PRIVATE PkgConfig::PROTOBUF_C)
endif()
# Stands between the loop and the update.
if(name STREQUAL "train_test_flip_3")
  target_link_options(${name} PRIVATE -Wl,--wrap=train_step_update)
endif()
# Stands in front of the allocator.
if(name STREQUAL "train_test_accounting_4")
  foreach(function malloc calloc realloc malloc_aligned malloc_pages free)
    target_link_options(${name} PRIVATE -Wl,--wrap=orr_${function})
  endforeach()
endif()
