# Fuzz targets. An ordinary build drives each with deterministic mutations of its seeds; with clang and
# -DORRERY_FUZZ=ON they become libFuzzer programs.
foreach(pair yaml:configs:5000 safetensors:checkpoints:5000 session:train:5000 wire:train:5000 policy:train:50000 url:data:20000 reply:data:20000 jpeg:data:3000 table:data:3000
        index:data:1000 shard:data:400 import:data:300 video:data:500 parquet:data:2000) # these five write a file a round
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 topic)
  list(GET pair 1 folder)
  list(GET pair 2 rounds)
  set(name fuzz_${topic})
  if(ORRERY_FUZZ)
    add_executable(${name} tests/fuzz/${name}.c)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} tests/fuzz/${name}.c tests/fuzz/drive.c)
    file(GLOB seeds CONFIGURE_DEPENDS tests/fuzz/seeds/${topic}/*)
    orr_test(${name} LABELS quick COMMAND ${name} ${rounds} ${seeds} ENVIRONMENT
             ASAN_OPTIONS=abort_on_error=1:allocator_may_return_null=1:handle_segv=0:handle_abort=0)
  endif()
  target_link_libraries(${name} PRIVATE orr_${folder})
endforeach()
