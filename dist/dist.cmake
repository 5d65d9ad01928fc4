# Ranks. NCCL is built in wherever its header and the CUDA Toolkit are, and opened at run time
# (dist/comm_nccl_library.c), as kernels/cuda opens its libraries.
find_package(MPI REQUIRED COMPONENTS C)
find_path(NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
set(ORRERY_NCCL OFF)
if(ORRERY_CUDA AND NCCL_INCLUDE)
  set(ORRERY_NCCL ON)
endif()

if(ORRERY_NCCL)
  orr_library(dist LINKS orr_base LIBRARIES MPI::MPI_C Threads::Threads CUDA::cudart_static ${CMAKE_DL_LIBS}
              WITHOUT comm_nccl_absent.c)
  target_include_directories(orr_dist SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE})
  set_source_files_properties(dist/comm_nccl_library.c PROPERTIES
    COMPILE_DEFINITIONS CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
else()
  message(STATUS "NCCL 2.28 with the CUDA Toolkit not found: ranks communicate over MPI alone")
  orr_library(dist LINKS orr_base LIBRARIES MPI::MPI_C Threads::Threads WITHOUT comm_nccl.c comm_nccl_library.c)
endif()
