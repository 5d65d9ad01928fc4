# Runs that are killed, and run out of space: whole processes, from outside.
foreach(pair kill_ranks:4 disk_full:1)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 topic)
  list(GET pair 1 processors)
  orr_test(faults_${topic} LABELS full faults PROCESSORS ${processors} NEEDS orrery slurm_small_set
           PYTHON tests/faults/${topic}.py --source ${CMAKE_SOURCE_DIR} --build ${CMAKE_BINARY_DIR})
endforeach()
