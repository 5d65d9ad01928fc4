# tests/train/sinks.py, under the Python that has TensorBoard where `./run` made it.
if(NOT TARGET slurm_small_set)
  add_executable(slurm_small_set tests/slurm/small_set.c)
  target_link_libraries(slurm_small_set PRIVATE orr_train PkgConfig::CMOCKA m)
endif()
if(Python3_FOUND)
  add_test(NAME train_sinks COMMAND sh -c "python=build/python/bin/python; test -x $python || python=${Python3_EXECUTABLE}; \
exec $python tests/train/sinks.py ${CMAKE_BINARY_DIR}" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(train_sinks PROPERTIES LABELS "full" TIMEOUT 300)
endif()
