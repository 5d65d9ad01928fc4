target_link_libraries(${name} PRIVATE MPI::MPI_C)
