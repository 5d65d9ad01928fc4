# `orrery play` from outside: what it serves, to whom, and the page in a browser.
add_executable(live_tiny_world tests/live/tiny_world.c)
target_link_libraries(live_tiny_world PRIVATE orr_train PkgConfig::CMOCKA m)
target_compile_definitions(live_tiny_world PRIVATE ORR_BINARY_DIR="${CMAKE_BINARY_DIR}")
foreach(topic serve safe replay keep page speech)
  orr_test(live_${topic} LABELS full PROCESSORS 2 NEEDS orrery live_tiny_world PYTHON tests/live/test_${topic}.py ${CMAKE_BINARY_DIR}
           ENVIRONMENT ${environment_mpi}) # what OSMesa keeps is let pass
endforeach()
# What the tests below act in, made once.
orr_test(live_small_world LABELS full NEEDS orrery PYTHON tests/live/small_world.py ${CMAKE_BINARY_DIR})
set_tests_properties(live_small_world PROPERTIES FIXTURES_SETUP small_world)
# A world that is played in, from outside: programs on its socket.
orr_test(live_programs LABELS full NEEDS orrery PYTHON tests/live/test_programs.py ${CMAKE_BINARY_DIR})
# under the Python that has gymnasium, where `./run` made it
orr_test(live_env LABELS full NEEDS orrery
         COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/live/test_env.py ${CMAKE_BINARY_DIR})
# the same, which has a policy server's libraries, too
orr_test(live_policy LABELS full NEEDS orrery
         COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/live/test_policy.py ${CMAKE_BINARY_DIR})
orr_test(live_bench LABELS full NEEDS orrery
         COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/live/test_bench.py ${CMAKE_BINARY_DIR})
set_tests_properties(live_programs live_env live_policy live_bench PROPERTIES FIXTURES_REQUIRED small_world)
