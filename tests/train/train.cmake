# Tests in Python that start the program, or a program that is like it but for one thing.
set(BINARIES ${CMAKE_BINARY_DIR})

# under the Python that has TensorBoard, where `./run` made it
orr_test(train_sinks LABELS full NEEDS orrery slurm_small_set COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/train/sinks.py ${BINARIES})

# one rank's ops take longer
add_executable(orrery_slow train/cli/main.c tests/train/slow_open.c tests/kernels/slow_kern.c)
target_link_libraries(orrery_slow PRIVATE orr_train)
target_link_options(orrery_slow PRIVATE -Wl,--wrap=kern_open)
orr_test(train_insight LABELS full mpi PROCESSORS 2 NEEDS orrery orrery_slow slurm_small_set
         PYTHON tests/train/insight.py ${BINARIES})

orr_test(train_launcher LABELS full mpi PROCESSORS 2 NEEDS orrery slurm_small_set
         PYTHON tests/train/launcher.py ${BINARIES})

add_executable(orrery_stops train/cli/main.c tests/train/stops_open.c tests/dist/stop_in_mpi.c)
target_link_libraries(orrery_stops PRIVATE orr_train MPI::MPI_C)
target_link_options(orrery_stops PRIVATE -Wl,--wrap=data_mix_open)
orr_test(train_startup LABELS full mpi faults PROCESSORS 2 NEEDS orrery_stops slurm_small_set
         PYTHON tests/train/startup.py ${BINARIES})

set(ranges_tool) # as a target, and as a file
set(ranges_file)
if(ORRERY_CUDA)
  add_library(ranges_tool SHARED tests/cuda_host/real/ranges_tool.c)
  target_include_directories(ranges_tool SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  set(ranges_tool ranges_tool)
  set(ranges_file $<TARGET_FILE:ranges_tool>)
endif()
orr_test(train_ranges LABELS full mpi PROCESSORS 2 NEEDS orrery slurm_small_set ${ranges_tool}
         PYTHON tests/train/ranges.py ${BINARIES} ${ranges_file})

set(wrong_clock)
set(clock_file)
if(NOT ORRERY_SANITIZE)
  add_library(wrong_clock SHARED tests/train/wrong_clock.c)
  target_link_libraries(wrong_clock PRIVATE ${CMAKE_DL_LIBS})
  set(wrong_clock wrong_clock)
  set(clock_file $<TARGET_FILE:wrong_clock>)
endif()
orr_test(train_clocks LABELS full mpi PROCESSORS 2 NEEDS orrery slurm_small_set ${wrong_clock}
         PYTHON tests/train/clocks.py ${BINARIES} ${clock_file})

# The whole program on memory that the host cannot touch (tests/kernels/strict_kern.h), beside itself.
add_executable(orrery_strict train/cli/main.c tests/train/strict_open.c tests/kernels/strict_kern.c)
target_link_libraries(orrery_strict PRIVATE orr_train)
target_link_options(orrery_strict PRIVATE -Wl,--wrap=kern_open -Wl,--wrap=kern_create)
add_executable(orrery_touching train/cli/main.c tests/train/strict_open.c tests/train/strict_touch.c
                               tests/kernels/strict_kern.c)
target_link_libraries(orrery_touching PRIVATE orr_train)
target_link_options(orrery_touching PRIVATE -Wl,--wrap=kern_open -Wl,--wrap=kern_create -Wl,--wrap=train_step_results)
orr_test(train_strict LABELS full NEEDS orrery orrery_strict orrery_touching
         PYTHON tests/train/strict.py $<TARGET_FILE:orrery> $<TARGET_FILE:orrery_strict> $<TARGET_FILE:orrery_touching>
                ${CMAKE_SOURCE_DIR})

# Under a Python with PEFT (PEFT_PYTHON) that reads the files, too.
orr_test(train_adapter LABELS quick NEEDS orrery slurm_small_set PYTHON tests/train/adapter.py ${BINARIES})
