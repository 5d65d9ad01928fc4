# Ranks. NCCL is built in wherever its header and the CUDA Toolkit are, and opened at run time
# (dist/comm_nccl_library.c), as kernels/cuda opens its libraries.
file(GLOB DIST_SOURCES CONFIGURE_DEPENDS dist/*.c)
set(DIST_NCCL_SOURCES ${CMAKE_SOURCE_DIR}/dist/comm_nccl.c ${CMAKE_SOURCE_DIR}/dist/comm_nccl_library.c)
list(REMOVE_ITEM DIST_SOURCES ${DIST_NCCL_SOURCES} ${CMAKE_SOURCE_DIR}/dist/comm_nccl_absent.c)
find_path(NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
set(ORRERY_NCCL OFF)
if(ORRERY_CUDA AND NCCL_INCLUDE)
  set(ORRERY_NCCL ON)
endif()

if(ORRERY_NCCL)
  add_library(orr_dist STATIC ${DIST_SOURCES} ${DIST_NCCL_SOURCES})
  target_include_directories(orr_dist SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE})
  set_source_files_properties(dist/comm_nccl_library.c PROPERTIES
    COMPILE_DEFINITIONS CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
  target_link_libraries(orr_dist PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
else()
  message(STATUS "NCCL 2.28 with the CUDA Toolkit not found: ranks communicate over MPI alone")
  add_library(orr_dist STATIC ${DIST_SOURCES} dist/comm_nccl_absent.c)
endif()
target_link_libraries(orr_dist PUBLIC orr_base PRIVATE MPI::MPI_C Threads::Threads)
