# The op table and its backends.
file(GLOB KERNELS_SOURCES CONFIGURE_DEPENDS kernels/*.c kernels/cpu/*.c)
add_library(orr_kernels STATIC ${KERNELS_SOURCES})
target_include_directories(orr_kernels PRIVATE ${DNNL_INCLUDE})
target_link_libraries(orr_kernels PUBLIC orr_base PRIVATE ${DNNL_LIBRARY} OpenMP::OpenMP_C m)
