add_executable(slurm_small_set tests/slurm/small_set.c)
target_link_libraries(slurm_small_set PRIVATE orr_train PkgConfig::CMOCKA m)
