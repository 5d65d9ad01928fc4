# Runs that are killed, and run out of space: whole processes, from outside.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name kill_ranks disk_full)
    add_test(NAME faults_${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/faults/${name}.py
             --source ${CMAKE_SOURCE_DIR} --build ${CMAKE_BINARY_DIR})
    set_tests_properties(faults_${name} PROPERTIES LABELS "full;faults" TIMEOUT 900 SKIP_RETURN_CODE 77
                         ENVIRONMENT "${environment_mpi}")
  endforeach()
  set_tests_properties(faults_kill_ranks PROPERTIES PROCESSORS 4)
endif()
