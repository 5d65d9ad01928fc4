# Jobs under a real Slurm on this machine (slurm/local-cluster). What a machine lacks for it is said, and
# the test skipped.
if(NOT TARGET slurm_small_set)
  add_executable(slurm_small_set tests/slurm/small_set.c) # of all tests from outside
  target_link_libraries(slurm_small_set PRIVATE orr_train PkgConfig::CMOCKA m)
endif()

find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME slurm_cluster COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/slurm/test_cluster.py
           --source ${CMAKE_SOURCE_DIR} --build ${CMAKE_BINARY_DIR})
  add_test(NAME slurm_job COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/slurm/test_job.py ${CMAKE_SOURCE_DIR})
  set_tests_properties(slurm_job PROPERTIES LABELS quick TIMEOUT 300)
  # four ranks and the daemons want all cores for themselves
  set_tests_properties(slurm_cluster PROPERTIES LABELS "full;mpi" TIMEOUT 1800 PROCESSORS 4 SKIP_RETURN_CODE 77)
endif()
