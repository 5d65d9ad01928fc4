# What runs on a real device (label gpu, which `./run test` leaves out) and suite.sh, which runs all of
# it in one go. The op programs are the parity tests that CI runs on the device the host plays.
add_executable(gpu_clips tests/gpu/gpu_clips.c)
target_link_libraries(gpu_clips PRIVATE orr_data)

if(ORRERY_CUDA)
  add_library(gpu_parity OBJECT tests/kernels/cuda/parity.c tests/kernels/cuda/device_cuda.c)
  target_link_libraries(gpu_parity PRIVATE orr_kernels PkgConfig::CMOCKA)
  file(GLOB sources CONFIGURE_DEPENDS tests/kernels/cuda/test_*.c)
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/tests/kernels/cuda/test_libraries.c) # plays the libraries
  foreach(source ${sources})
    get_filename_component(topic ${source} NAME_WE)
    string(REPLACE test_ gpu_ name ${topic})
    add_executable(${name} ${source} $<TARGET_OBJECTS:gpu_parity>)
    target_link_libraries(${name} PRIVATE orr_kernels PkgConfig::CMOCKA m)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS gpu TIMEOUT 900)
  endforeach()
endif()

add_test(NAME gpu_suite COMMAND ${CMAKE_SOURCE_DIR}/tests/gpu/suite.sh ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/gpu-suite)
set_tests_properties(gpu_suite PROPERTIES LABELS gpu TIMEOUT 7200)
add_test(NAME suite_itself COMMAND ${CMAKE_SOURCE_DIR}/tests/gpu/self_test.sh ${CMAKE_BINARY_DIR})
set_tests_properties(suite_itself PROPERTIES LABELS full TIMEOUT 600 ENVIRONMENT "${environment}")
