# `orrery play` from outside: what it serves, to whom, and the page in a browser.
add_executable(live_tiny_world tests/live/tiny_world.c)
target_link_libraries(live_tiny_world PRIVATE orr_train PkgConfig::CMOCKA m)
target_compile_definitions(live_tiny_world PRIVATE ORR_BINARY_DIR="${CMAKE_BINARY_DIR}")
foreach(topic serve safe replay keep)
  orr_test(live_${topic} LABELS full NEEDS orrery live_tiny_world PYTHON tests/live/test_${topic}.py ${CMAKE_BINARY_DIR})
endforeach()
