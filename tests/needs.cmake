# What a test may need besides its folder's library: `needs: WORD` on its first line links needs_WORD.
add_library(needs_mpi INTERFACE)
target_link_libraries(needs_mpi INTERFACE MPI::MPI_C)

# to damage shards from inside, or to count what HDF5 holds
add_library(needs_hdf5 INTERFACE)
target_include_directories(needs_hdf5 INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(needs_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

# to decode films and pictures
add_library(needs_films INTERFACE)
target_link_libraries(needs_films INTERFACE PkgConfig::AV PkgConfig::PNG)

# to read TensorBoard's files
add_library(needs_events INTERFACE)
target_include_directories(needs_events INTERFACE ${GENERATED})
target_link_libraries(needs_events INTERFACE PkgConfig::PROTOBUF_C)

# tensors over an NCCL and a device that the host plays, whether or not the toolkit is there
file(GLOB played CONFIGURE_DEPENDS tests/dist/played/*.c)
add_library(needs_played_nccl INTERFACE)
target_sources(needs_played_nccl INTERFACE ${CMAKE_SOURCE_DIR}/dist/comm_nccl.c ${played})
target_include_directories(needs_played_nccl INTERFACE tests/dist/played tests/cuda_host/include)
target_link_libraries(needs_played_nccl INTERFACE MPI::MPI_C)

# tensors over NCCL on a GPU
add_library(needs_real_nccl INTERFACE)
if(ORRERY_NCCL)
  target_sources(needs_real_nccl INTERFACE ${CMAKE_SOURCE_DIR}/tests/dist/device_cuda.c)
  target_include_directories(needs_real_nccl SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(needs_real_nccl INTERFACE CUDA::cudart_static)
else()
  target_sources(needs_real_nccl INTERFACE ${CMAKE_SOURCE_DIR}/tests/dist/device_absent.c)
endif()

# somebody else's game, played (tests/data/sim/fake_libenv.c)
add_library(fake_libenv SHARED tests/data/sim/fake_libenv.c)
