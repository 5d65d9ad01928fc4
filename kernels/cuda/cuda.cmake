# The CUDA side: compiled and linked wherever the toolkit is found, with or without a GPU.
find_package(CUDAToolkit QUIET)
if(CUDAToolkit_FOUND)
  add_library(orr_cuda STATIC kernels/cuda/probe.c)
  target_link_libraries(orr_cuda PRIVATE CUDA::cudart_static)
else()
  message(STATUS "CUDA Toolkit not found: the CUDA side is left out, orrery runs on the CPU")
  add_library(orr_cuda STATIC kernels/cuda/absent.c)
endif()
