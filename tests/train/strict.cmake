# The whole program on memory that the host cannot touch (tests/kernels/strict_kern.h), beside itself.
if(Python3_FOUND AND TARGET orrery)
  add_executable(orrery_strict train/cli/main.c tests/train/strict_open.c tests/kernels/strict_kern.c)
  target_link_libraries(orrery_strict PRIVATE orr_train)
  target_link_options(orrery_strict PRIVATE -Wl,--wrap=kern_open -Wl,--wrap=kern_create)
  add_executable(orrery_touching train/cli/main.c tests/train/strict_open.c tests/train/strict_touch.c
                                 tests/kernels/strict_kern.c)
  target_link_libraries(orrery_touching PRIVATE orr_train)
  target_link_options(orrery_touching PRIVATE -Wl,--wrap=kern_open -Wl,--wrap=kern_create -Wl,--wrap=train_step_results)
  add_test(NAME train_strict COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/train/strict.py
                                     $<TARGET_FILE:orrery> $<TARGET_FILE:orrery_strict> $<TARGET_FILE:orrery_touching>
                                     ${CMAKE_SOURCE_DIR})
  set_tests_properties(train_strict PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
