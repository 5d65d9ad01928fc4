# A world that is played in, from outside: programs on its socket.
orr_test(live_programs LABELS full NEEDS orrery PYTHON tests/live/programs.py ${CMAKE_BINARY_DIR})
# under the Python that has gymnasium, where `./run` made it
orr_test(live_env LABELS full NEEDS orrery
         COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/live/env.py ${CMAKE_BINARY_DIR})
# the same, which has a policy server's libraries, too
orr_test(live_policy LABELS full NEEDS orrery
         COMMAND sh ${CMAKE_SOURCE_DIR}/tests/python.sh ${CMAKE_SOURCE_DIR}/tests/live/policy.py ${CMAKE_BINARY_DIR})
