# The whole CUDA backend on the host that plays the device: its host side as it is, with the toolkit's
# headers, on the runtime of orr_cuda_host and on the libraries that libraries/ plays.
file(GLOB CUDA_BACKEND_SOURCES CONFIGURE_DEPENDS kernels/cuda/*.c)
list(REMOVE_ITEM CUDA_BACKEND_SOURCES ${CMAKE_SOURCE_DIR}/kernels/cuda/backend_absent.c
     ${CMAKE_SOURCE_DIR}/kernels/cuda/library.c)
file(GLOB CUDA_LIBRARY_DOUBLES CONFIGURE_DEPENDS ${CUDA_HOST_DIR}/libraries/*.c)
add_library(orr_cuda_backend_host OBJECT ${CUDA_BACKEND_SOURCES} ${CUDA_LIBRARY_DOUBLES})
target_include_directories(orr_cuda_backend_host SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUBLASLT_INCLUDE} ${CUDNN_INCLUDE})
target_compile_definitions(orr_cuda_backend_host PRIVATE CUDA_MOST_SCORES=131072)
target_compile_options(orr_cuda_backend_host PRIVATE -O2 -fopenmp-simd)
if(CUDA_HOST_SANITIZE)
  target_compile_options(orr_cuda_backend_host PRIVATE $<$<BOOL:${CUDA_HOST_SANITIZE}>:-fsanitize=${CUDA_HOST_SANITIZE}>)
endif()

foreach(topic ${CUDA_BACKEND_TESTS} attention_own)
  set(name cuda_host_${topic})
  set(words)
  if(TARGET ${name}) # of own kernels alone: here, with a library beside them, who computes is asked
    set(name cuda_backend_${topic})
    set(words who)
  endif()
  add_executable(${name} ${PARITY}/test_${topic}.c ${PARITY}/parity.c ${PARITY}/device_cuda.c
                         $<TARGET_OBJECTS:orr_cuda_backend_host> $<TARGET_OBJECTS:orr_cuda_host>)
  target_compile_definitions(${name} PRIVATE CUDA_HOST_DEVICE)
  target_link_libraries(${name} PRIVATE orr_kernels PkgConfig::CMOCKA m)
  target_link_options(${name} PRIVATE $<$<BOOL:${CUDA_HOST_SANITIZE}>:-fsanitize=${CUDA_HOST_SANITIZE}>)
  orr_test(${name} LABELS quick COMMAND ${name} ${words})
endforeach()

# NVIDIA's libraries themselves, as far as they go without a device.
add_library(orr_cuda_driver SHARED ${CUDA_HOST_DIR}/real/driver.c)
set_target_properties(orr_cuda_driver PROPERTIES OUTPUT_NAME cuda SOVERSION 1
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/cuda_host/driver)
add_executable(cuda_host_cudnn ${CUDA_HOST_DIR}/real/test_cudnn.c kernels/cuda/library.c kernels/cuda/dnn_graph.c
                               kernels/cuda/sdpa_graph.c)
target_include_directories(cuda_host_cudnn SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUBLASLT_INCLUDE} ${CUDNN_INCLUDE})
target_compile_definitions(cuda_host_cudnn PRIVATE CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
target_link_libraries(cuda_host_cudnn PRIVATE orr_base PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
add_dependencies(cuda_host_cudnn orr_cuda_driver)
orr_test(cuda_host_cudnn LABELS full COMMAND cuda_host_cudnn
         ENVIRONMENT LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}/cuda_host/driver:$ENV{LD_LIBRARY_PATH})

add_executable(cuda_host_cublaslt ${CUDA_HOST_DIR}/real/test_cublaslt.c kernels/cuda/library.c kernels/cuda/plans.c)
target_include_directories(cuda_host_cublaslt SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUBLASLT_INCLUDE} ${CUDNN_INCLUDE})
target_compile_definitions(cuda_host_cublaslt PRIVATE CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
target_link_libraries(cuda_host_cublaslt PRIVATE orr_base PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
add_test(NAME cuda_host_cublaslt COMMAND cuda_host_cublaslt)
if(ORRERY_NCCL)
  add_executable(cuda_host_nccl ${CUDA_HOST_DIR}/real/test_nccl.c dist/comm_nccl_library.c)
  target_include_directories(cuda_host_nccl SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE})
  target_link_libraries(cuda_host_nccl PRIVATE orr_base PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
  add_test(NAME cuda_host_nccl COMMAND cuda_host_nccl)
  set_tests_properties(cuda_host_nccl PROPERTIES LABELS quick TIMEOUT 300)
endif()
set_tests_properties(cuda_host_cublaslt PROPERTIES LABELS quick TIMEOUT 300)

# Training on the device that the host plays.
add_executable(cuda_host_training tests/train/setup/test_device.c $<TARGET_OBJECTS:orr_cuda_backend_host>
                                  $<TARGET_OBJECTS:orr_cuda_host>)
target_link_libraries(cuda_host_training PRIVATE orr_train PkgConfig::CMOCKA m)
target_compile_definitions(cuda_host_training PRIVATE ORR_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ORR_BINARY_DIR="${CMAKE_BINARY_DIR}")
target_link_options(cuda_host_training PRIVATE $<$<BOOL:${CUDA_HOST_SANITIZE}>:-fsanitize=${CUDA_HOST_SANITIZE}>)
orr_test(cuda_host_training LABELS full COMMAND cuda_host_training ENVIRONMENT ${environment} ASAN_OPTIONS=detect_leaks=0)

# run.exact on two such devices.
add_executable(cuda_host_exact ${CUDA_HOST_DIR}/training/exact.c $<TARGET_OBJECTS:orr_cuda_backend_host>
                               $<TARGET_OBJECTS:orr_cuda_host>)
target_link_libraries(cuda_host_exact PRIVATE orr_train PkgConfig::CMOCKA m)
target_link_options(cuda_host_exact PRIVATE $<$<BOOL:${CUDA_HOST_SANITIZE}>:-fsanitize=${CUDA_HOST_SANITIZE}>)
orr_test(cuda_host_exact LABELS full mpi PROCESSORS 2 ENVIRONMENT ${environment_mpi} ASAN_OPTIONS=detect_leaks=0
         COMMAND ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe -n 2 $<TARGET_FILE:cuda_host_exact>)
