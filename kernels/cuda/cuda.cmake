# The CUDA side: compiled and linked wherever the toolkit is found, with or without a GPU.
#
# The runtime is linked statically and finds the driver (libcuda.so.1) by itself. cuBLASLt and cuDNN
# are opened when a device is chosen (kernels/cuda/library.c): linked, they would cost every start
# their relocations (0.05 s and 200 MB), and a machine without them could not start the program.
find_package(CUDAToolkit QUIET)
find_path(CUBLASLT_INCLUDE cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_path(CUDNN_INCLUDE cudnn_graph.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
set(ORRERY_CUDA OFF)
if(CUDAToolkit_FOUND AND CUDAToolkit_VERSION_MAJOR GREATER_EQUAL 13 AND CUDAToolkit_NVCC_EXECUTABLE AND
   CUBLASLT_INCLUDE AND CUDNN_INCLUDE)
  set(ORRERY_CUDA ON)
endif()

if(ORRERY_CUDA)
  # native code for A100, H100/H200 and B200; the last one's PTX serves what is newer
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100 CACHE STRING "GPU architectures")
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE} CACHE FILEPATH "nvcc")
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
  set(CMAKE_CUDA_FLAGS_DEBUG "-O0 -g3 -lineinfo") # of the host's part; -G for the kernels is too slow to run with
  enable_language(CUDA)
  orr_library(kernels/cuda LINKS orr_base LIBRARIES CUDA::cudart_static ${CMAKE_DL_LIBS} m WITHOUT backend_absent.c)
  target_include_directories(orr_kernels_cuda SYSTEM PRIVATE ${CUBLASLT_INCLUDE} ${CUDNN_INCLUDE})
  list(JOIN ORRERY_WARNINGS "," warnings)
  target_compile_options(orr_kernels_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${warnings}>)
  if(ORRERY_WERROR)
    target_compile_options(orr_kernels_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Werror>")
  endif()
  target_compile_definitions(orr_kernels_cuda PRIVATE CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
  message(STATUS "CUDA ${CUDAToolkit_VERSION}: the CUDA side is built for ${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "CUDA Toolkit 13 with cuBLASLt and cuDNN not found: the CUDA side is left out, orrery runs on the CPU")
  add_library(orr_kernels_cuda STATIC kernels/cuda/backend_absent.c)
endif()
