# One executable a test file; tests/<folder>/[<room>/]test_<topic>.c may use that folder or room and the
# floors below it. Its first line says what else is particular about it:
#   // labels: quick
#   // labels: full mpi; ranks: 2
#   // labels: full; wrap: train_step_run data_loader_next; needs: orrery hdf5
# ranks: it runs under mpirun. wrap: functions that it stands in front of (__wrap_NAME, __real_NAME).
# needs: programs that are built before it, sources by their path, and what tests/needs.cmake defines.
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

# A test and, under its name, a target that builds all that it needs.
#   LABELS       quick, full, mpi, gpu, faults
#   COMMAND      a program and its words; or PYTHON: a script from the root and its words
#   NEEDS        targets
#   PROCESSORS   cores that it wants for itself
#   COST         seconds, of one that takes long and had better begin first, before its time is known
#   ENVIRONMENT  in place of the usual one
#   TIMEOUT      seconds; none but a test that hangs gets near it, however busy the machine
# It may exit with 77 and a line "skipped: REASON" where it cannot run.
find_package(Python3 COMPONENTS Interpreter)
function(orr_test name)
  cmake_parse_arguments(TEST "" "PROCESSORS;COST;TIMEOUT" "LABELS;COMMAND;PYTHON;NEEDS;ENVIRONMENT" ${ARGN})
  if(TEST_PYTHON AND Python3_FOUND)
    set(TEST_COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/${TEST_PYTHON})
  elseif(TEST_PYTHON)
    set(TEST_COMMAND sh -c "echo skipped: no Python 3 && exit 77")
  endif()
  if(NOT TEST_ENVIRONMENT)
    set(TEST_ENVIRONMENT ${environment})
    if("mpi" IN_LIST TEST_LABELS OR "faults" IN_LIST TEST_LABELS)
      set(TEST_ENVIRONMENT ${environment_mpi})
    endif()
  endif()
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 1800)
  endif()
  if(NOT TEST_PROCESSORS)
    set(TEST_PROCESSORS 1)
  endif()
  add_test(NAME ${name} COMMAND ${TEST_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" ENVIRONMENT "${TEST_ENVIRONMENT}" TIMEOUT ${TEST_TIMEOUT}
                       PROCESSORS ${TEST_PROCESSORS} SKIP_RETURN_CODE 77)
  if(TEST_COST)
    set_tests_properties(${name} PROPERTIES COST ${TEST_COST})
  endif()
  if(NOT TARGET ${name})
    add_custom_target(${name})
  endif()
  if(TEST_NEEDS)
    add_dependencies(${name} ${TEST_NEEDS})
  endif()
endfunction()

# Sets labels, ranks, wrap and needs in the caller, from the first line of a test.
function(orr_test_first_line source)
  file(STRINGS ${source} first LIMIT_COUNT 1)
  string(REPLACE "\\;" ";" first "${first}") # file(STRINGS) escapes it
  foreach(key labels ranks wrap needs)
    set(${key} "" PARENT_SCOPE)
  endforeach()
  if(NOT first MATCHES "^// labels: ")
    message(FATAL_ERROR "${source}: the first line must read '// labels: ...'")
  endif()
  string(REGEX REPLACE "^// " "" first "${first}")
  foreach(field ${first})
    if(NOT field MATCHES "^ ?(labels|ranks|wrap|needs): ([^ ].*)$")
      message(FATAL_ERROR "${source}: its first line has '${field}', wanted labels: ranks: wrap: or needs:")
    endif()
    string(REPLACE " " ";" words "${CMAKE_MATCH_2}")
    set(${CMAKE_MATCH_1} ${words} PARENT_SCOPE)
  endforeach()
endfunction()

# A program of a test file, linked as its first line says; `targets` in the caller are those that it needs.
function(orr_test_program name source library)
  set(targets "")
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${library} PkgConfig::CMOCKA m)
  target_compile_definitions(${name} PRIVATE ORR_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ORR_BINARY_DIR="${CMAKE_BINARY_DIR}")
  foreach(function ${wrap})
    target_link_options(${name} PRIVATE -Wl,--wrap=${function})
  endforeach()
  foreach(word ${needs})
    if(word MATCHES "/")
      target_sources(${name} PRIVATE ${word})
    elseif(TARGET needs_${word})
      target_link_libraries(${name} PRIVATE needs_${word})
    elseif(TARGET ${word})
      list(APPEND targets ${word})
    else()
      message(FATAL_ERROR "${source}: needs '${word}': no program, and not in tests/needs.cmake")
    endif()
  endforeach()
  set(targets ${targets} PARENT_SCOPE)
endfunction()

include(tests/needs.cmake)
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
    orr_test_first_line(${source})
    orr_test_program(${name} ${source} orr_${folder})
    set(command ${name})
    if(ranks)
      set(command ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe -n ${ranks} $<TARGET_FILE:${name}>)
    endif()
    set(usual ENVIRONMENT ${environment})
    file(STRINGS ${source} starts REGEX "mpirun" LIMIT_COUNT 1) # ranks by itself; whole stacks are slow, though
    if(folder STREQUAL dist OR "mpi" IN_LIST labels OR (starts AND NOT "quick" IN_LIST labels))
      set(usual ENVIRONMENT ${environment_mpi})
    endif()
    orr_test(${name} LABELS ${labels} COMMAND ${command} PROCESSORS ${ranks} NEEDS ${targets} ${usual})
  endforeach()
endforeach()

include(tests/cuda_host/cuda_host.cmake)
include(tests/check/check.cmake)
include(tests/golden/golden.cmake)
include(tests/fuzz/fuzz.cmake)
include(tests/faults/faults.cmake)
include(tests/import/import.cmake)
include(tests/slurm/slurm.cmake)
include(tests/train/train.cmake)
include(tests/live/live.cmake)
include(tests/bench/bench.cmake)
include(tests/gpu/gpu.cmake)
