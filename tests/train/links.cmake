# Tests that start the program itself.
if(name MATCHES "^train_test_(loop_mpi|kill|cli|eval)$")
  add_dependencies(${name} orrery)
endif()
