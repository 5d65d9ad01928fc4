# The op table and its backends. The CPU's op files are compiled once for each instruction set
# (kernels/cpu/isa.h); cpu.c picks one at run time, so the library runs on any x86-64.
include(kernels/cuda/cuda.cmake)

set(CPU_ONCE cpu.c memory.c team.c)
set(CPU_AMX attention_amx_fwd.c attention_amx_bwd.c matmul_amx.c
            matmul_amx_weight.c) # once, called by the v4 set where the machine has AMX
set(CPU_SOURCES)
file(GLOB CPU_OP_SOURCES CONFIGURE_DEPENDS kernels/cpu/*.c)
foreach(once ${CPU_ONCE})
  list(REMOVE_ITEM CPU_OP_SOURCES ${CMAKE_SOURCE_DIR}/kernels/cpu/${once})
  list(APPEND CPU_SOURCES kernels/cpu/${once})
endforeach()
foreach(amx ${CPU_AMX})
  list(REMOVE_ITEM CPU_OP_SOURCES ${CMAKE_SOURCE_DIR}/kernels/cpu/${amx})
endforeach()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(CPU_ISAS v2 v3 v4)
  list(TRANSFORM CPU_AMX PREPEND kernels/cpu/)
  set_source_files_properties(${CPU_AMX} PROPERTIES COMPILE_OPTIONS
    "-march=x86-64-v4;-mavx512bf16;-mprefer-vector-width=512")
  list(APPEND CPU_SOURCES ${CPU_AMX})
else()
  set(CPU_ISAS plain)
endif()
set(CPU_FLAGS_v2 -march=x86-64-v2)
set(CPU_FLAGS_v3 -march=x86-64-v3)
set(CPU_FLAGS_v4 -march=x86-64-v4 -mprefer-vector-width=512)

set(CPU_OBJECTS)
foreach(isa ${CPU_ISAS})
  add_library(orr_kernels_cpu_${isa} OBJECT ${CPU_OP_SOURCES})
  target_compile_definitions(orr_kernels_cpu_${isa} PRIVATE CPU_ISA=${isa})
  # -Wno-psabi: vectors are passed between inline functions only.
  target_compile_options(orr_kernels_cpu_${isa} PRIVATE ${CPU_FLAGS_${isa}} -Wno-psabi -fopenmp-simd)
  list(APPEND CPU_OBJECTS $<TARGET_OBJECTS:orr_kernels_cpu_${isa}>)
endforeach()

orr_library(kernels LINKS orr_base LIBRARIES orr_kernels_cuda Threads::Threads m SOURCES ${CPU_SOURCES} ${CPU_OBJECTS})
target_compile_options(orr_kernels PRIVATE -Wno-psabi)

# for `orrery --version`
string(REPLACE ";" " " devices "${CMAKE_SYSTEM_PROCESSOR};${CPU_ISAS}")
if(ORRERY_CUDA)
  list(TRANSFORM CMAKE_CUDA_ARCHITECTURES PREPEND sm_ OUTPUT_VARIABLE architectures)
  list(TRANSFORM architectures REPLACE "-real$" "")
  string(REPLACE ";" " " architectures "${architectures}")
  string(APPEND devices "\; CUDA ${architectures}")
endif()
set_source_files_properties(kernels/versions.c PROPERTIES COMPILE_DEFINITIONS "KERN_DEVICES_BUILT=\"${devices}\"")
