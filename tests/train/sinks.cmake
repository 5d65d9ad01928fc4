# Tests in Python that start the program: sinks.py under the Python that has TensorBoard, where `./run`
# made it.
if(NOT TARGET slurm_small_set)
  add_executable(slurm_small_set tests/slurm/small_set.c)
  target_link_libraries(slurm_small_set PRIVATE orr_train PkgConfig::CMOCKA m)
endif()
if(Python3_FOUND)
  add_test(NAME train_sinks COMMAND sh -c "python=build/python/bin/python; test -x $python || python=${Python3_EXECUTABLE}; \
exec $python tests/train/sinks.py ${CMAKE_BINARY_DIR}" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME train_insight COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/train/insight.py ${CMAKE_BINARY_DIR})
  set_tests_properties(train_sinks train_insight PROPERTIES LABELS full TIMEOUT 300 ENVIRONMENT "${environment}")
  set(ranges_tool "")
  if(ORRERY_CUDA)
    add_library(ranges_tool SHARED tests/cuda_host/real/ranges_tool.c)
    target_include_directories(ranges_tool SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
    set(ranges_tool $<TARGET_FILE:ranges_tool>)
  endif()
  add_test(NAME train_ranges COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/train/ranges.py ${CMAKE_BINARY_DIR}
           "${ranges_tool}")
  set_tests_properties(train_ranges PROPERTIES ENVIRONMENT "${environment}" TIMEOUT 300 SKIP_RETURN_CODE 77)
  add_library(wrong_clock SHARED tests/train/wrong_clock.c)
  target_link_libraries(wrong_clock PRIVATE ${CMAKE_DL_LIBS})
  add_test(NAME train_clocks COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/train/clocks.py ${CMAKE_BINARY_DIR}
           $<TARGET_FILE:wrong_clock>)
  set_tests_properties(train_clocks PROPERTIES ENVIRONMENT "${environment}" TIMEOUT 300)
  set_tests_properties(train_insight train_ranges train_clocks PROPERTIES LABELS "full;mpi" PROCESSORS 2)
endif()
