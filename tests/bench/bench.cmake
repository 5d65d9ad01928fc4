# Programs that measure; no tests, because nothing that is tested depends on speed.
add_executable(bench_ckpt tests/bench/ckpt.c)
target_link_libraries(bench_ckpt PRIVATE orr_checkpoints m)
add_executable(bench_clips tests/bench/clips.c) # what overhead.py trains on
target_link_libraries(bench_clips PRIVATE orr_train)
add_executable(bench_exact_set tests/bench/exact_set.c) # what exact_layouts.py trains on
target_link_libraries(bench_exact_set PRIVATE orr_train PkgConfig::CMOCKA m)
