# The CUDA backend's kernels as host C++ (host.h), with the AddressSanitizer, and the parity tests on
# them. No toolkit is needed. The same tests on a real device carry the label gpu.
enable_language(CXX)
set(CUDA_HOST_DIR ${CMAKE_SOURCE_DIR}/tests/cuda_host)
set(CUDA_HOST_SANITIZE address)
if(ORRERY_SANITIZE MATCHES "thread")
  set(CUDA_HOST_SANITIZE "") # the two exclude each other
endif()

file(GLOB CUDA_HOST_KERNELS CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB CUDA_HOST_SOURCES CONFIGURE_DEPENDS tests/cuda_host/*.c)
set(units) # a .cu belongs to nvcc: each is included by a unit of C++
foreach(kernel ${CUDA_HOST_KERNELS})
  get_filename_component(name ${kernel} NAME_WE)
  set(unit ${CMAKE_BINARY_DIR}/cuda_host/${name}.cpp)
  file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${kernel}\"\n")
  list(APPEND units ${unit})
endforeach()
# shared, so that mutants.py can put a broken kernel in front of a sound one
add_library(orr_cuda_host SHARED ${units} ${CUDA_HOST_SOURCES})
target_include_directories(orr_cuda_host BEFORE PUBLIC ${CUDA_HOST_DIR}/include)
target_compile_definitions(orr_cuda_host PRIVATE CUDA_MOST_PARTIALS=5)
target_compile_features(orr_cuda_host PRIVATE cxx_std_17)
target_compile_options(orr_cuda_host PRIVATE -O1 $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-pragmas>)
if(CUDA_HOST_SANITIZE)
  target_compile_options(orr_cuda_host PRIVATE -fsanitize=${CUDA_HOST_SANITIZE})
  target_link_options(orr_cuda_host PUBLIC -fsanitize=${CUDA_HOST_SANITIZE})
endif()

set(PARITY tests/kernels/cuda)
set(CUDA_BACKEND_TESTS matmul attention choice libraries) # of the host side: they want the toolkit's headers
file(GLOB parity_tests CONFIGURE_DEPENDS ${PARITY}/test_*.c)
foreach(topic ${CUDA_BACKEND_TESTS})
  list(REMOVE_ITEM parity_tests ${CMAKE_SOURCE_DIR}/${PARITY}/test_${topic}.c)
endforeach()
set(mutants_need)
foreach(source ${parity_tests})
  get_filename_component(topic ${source} NAME_WE)
  string(REPLACE test_ cuda_host_ name ${topic})
  orr_test_first_line(${source})
  add_executable(${name} ${source} ${PARITY}/parity.c ${PARITY}/device_host.c ${PARITY}/standin.c)
  target_link_libraries(${name} PRIVATE orr_cuda_host orr_kernels PkgConfig::CMOCKA m)
  set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON) # the kernels' entries call back
  orr_test(${name} LABELS ${labels} COMMAND ${name})
  list(APPEND mutants_need ${name})
endforeach()

# A broken index, barrier or element must fail the tests above.
if(CUDA_HOST_SANITIZE)
  orr_test(cuda_host_mutants LABELS full COST 40 NEEDS ${mutants_need}
           PYTHON tests/cuda_host/mutants.py --compiler ${CMAKE_CXX_COMPILER} --build ${CMAKE_BINARY_DIR})
endif()

if(ORRERY_CUDA)
  include(${CUDA_HOST_DIR}/backend.cmake)
endif()
