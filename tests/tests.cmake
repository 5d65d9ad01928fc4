# One executable a test file; tests/<folder>/[<room>/]test_<topic>.c may use that folder or room and the
# floors below it. Its first line is a comment that gives its labels and, for MPI, its rank count:
#   // labels: quick
#   // labels: full mpi; ranks: 2
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# Open MPI refuses root and more ranks than cores unless told; containers often forbid the cross-memory
# copies of its shared memory transport. None of this changes a result.
set(environment OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
                OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
                OMPI_MCA_btl_vader_single_copy_mechanism=none)
set(environment_mpi ${environment})
if(ORRERY_SANITIZE MATCHES "address")
  list(APPEND environment ASAN_OPTIONS=allocator_may_return_null=1) # as malloc does: some ask for too much
  # whole stacks, so that the suppressions see Open MPI in those of its unloaded components
  list(APPEND environment_mpi ASAN_OPTIONS=fast_unwind_on_malloc=0:allocator_may_return_null=1
                              LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0)
elseif(ORRERY_SANITIZE MATCHES "thread")
  list(APPEND environment_mpi TSAN_OPTIONS=ignore_noninstrumented_modules=1:atexit_sleep_ms=0) # Open MPI's own threads; an end is an end
endif()

foreach(folder base configs kernels data dist checkpoints train)
  file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/test_*.c)
  if(folder MATCHES "^(data|train)$") # their rooms; the other folders' sub-folders have CMake files of their own
    file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/*/test_*.c)
  endif()
  foreach(source ${sources})
    # train_step_test_stage for tests/train/step/test_stage.c
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/tests ${source})
    string(REGEX REPLACE "\\.c$" "" name ${name})
    string(REPLACE "/" "_" name ${name})
    file(STRINGS ${source} first LIMIT_COUNT 1)
    string(REPLACE "\\;" ";" first "${first}") # file(STRINGS) escapes it
    if(NOT first MATCHES "^// labels: ([a-z ]+)(; ranks: ([0-9]+))?")
      message(FATAL_ERROR "${source}: the first line must read '// labels: ...'")
    endif()
    string(REPLACE " " ";" labels "${CMAKE_MATCH_1}")
    set(ranks "${CMAKE_MATCH_3}")
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE orr_${folder} PkgConfig::CMOCKA m)
    target_compile_definitions(${name} PRIVATE ORR_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ORR_BINARY_DIR="${CMAKE_BINARY_DIR}")
    if(EXISTS ${CMAKE_SOURCE_DIR}/tests/${folder}/links.cmake)
      include(${CMAKE_SOURCE_DIR}/tests/${folder}/links.cmake) # extra libraries for target ${name}
    endif()
    if(ranks)
      add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe -n ${ranks} $<TARGET_FILE:${name}>)
      set_tests_properties(${name} PROPERTIES PROCESSORS ${ranks})
    else()
      add_test(NAME ${name} COMMAND ${name})
    endif()
    file(STRINGS ${source} starts REGEX "mpirun" LIMIT_COUNT 1) # ranks by itself; whole stacks are slow, though
    if(folder STREQUAL dist OR "mpi" IN_LIST labels OR (starts AND NOT "quick" IN_LIST labels))
      set_tests_properties(${name} PROPERTIES ENVIRONMENT "${environment_mpi}")
    else()
      set_tests_properties(${name} PROPERTIES ENVIRONMENT "${environment}")
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 900)
  endforeach()
endforeach()

include(tests/cuda_host/cuda_host.cmake)
include(tests/check/check.cmake)
include(tests/golden/golden.cmake)
include(tests/fuzz/fuzz.cmake)
include(tests/faults/faults.cmake)
include(tests/import/import.cmake)
include(tests/slurm/slurm.cmake)
include(tests/train/sinks.cmake)
include(tests/train/strict.cmake)
include(tests/bench/bench.cmake)
include(tests/gpu/gpu.cmake)
