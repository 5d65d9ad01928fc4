# Jobs under a real Slurm on this machine (slurm/local-cluster). What a machine lacks for it is said, and
# the test skipped.
add_executable(slurm_small_set tests/slurm/small_set.c) # of all tests from outside
target_link_libraries(slurm_small_set PRIVATE orr_train PkgConfig::CMOCKA m)
# four ranks and the daemons; half of the time Slurm's own clocks are what it waits for
orr_test(slurm_cluster LABELS full mpi PROCESSORS 2 COST 120 TIMEOUT 3600 NEEDS orrery slurm_small_set
         PYTHON tests/slurm/test_cluster.py --source ${CMAKE_SOURCE_DIR} --build ${CMAKE_BINARY_DIR})
orr_test(slurm_job LABELS quick PYTHON tests/slurm/test_job.py ${CMAKE_SOURCE_DIR})
