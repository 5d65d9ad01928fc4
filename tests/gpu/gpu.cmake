# What runs on a real device (label gpu, which `./run test` leaves out) and suite.sh, which runs all of
# it in one go. The op programs are the parity tests that CI runs on the device the host plays.
add_executable(gpu_clips tests/gpu/gpu_clips.c)
target_link_libraries(gpu_clips PRIVATE orr_data)

set(gpu_ops)
if(ORRERY_CUDA)
  add_library(gpu_parity OBJECT tests/kernels/cuda/parity.c tests/kernels/cuda/device_cuda.c)
  target_link_libraries(gpu_parity PRIVATE orr_kernels PkgConfig::CMOCKA)
  file(GLOB sources CONFIGURE_DEPENDS tests/kernels/cuda/test_*.c)
  foreach(topic choice libraries) # they play the libraries
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/tests/kernels/cuda/test_${topic}.c)
  endforeach()
  foreach(source ${sources})
    get_filename_component(topic ${source} NAME_WE)
    string(REPLACE test_ gpu_ name ${topic})
    add_executable(${name} ${source} $<TARGET_OBJECTS:gpu_parity>)
    target_link_libraries(${name} PRIVATE orr_kernels PkgConfig::CMOCKA m)
    orr_test(${name} LABELS gpu COMMAND ${name})
    list(APPEND gpu_ops ${name})
  endforeach()
endif()

orr_test(gpu_suite LABELS gpu TIMEOUT 7200 NEEDS orrery gpu_clips ${gpu_ops}
         COMMAND ${CMAKE_SOURCE_DIR}/tests/gpu/suite.sh ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/gpu-suite)
orr_test(suite_itself LABELS full NEEDS orrery gpu_clips
         COMMAND ${CMAKE_SOURCE_DIR}/tests/gpu/self_test.sh ${CMAKE_BINARY_DIR})
