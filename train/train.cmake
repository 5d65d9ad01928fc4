# Training: one library a room (docs/architecture.md), each linked with what lies below it. orr_train
# is all of them.
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C protoc-c REQUIRED)
set(GENERATED ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${GENERATED})
set(EVENT ${GENERATED}/train/observe/event.pb-c)
add_custom_command(OUTPUT ${EVENT}.c ${EVENT}.h
                   COMMAND ${PROTOC_C} --c_out=${GENERATED} -I${CMAKE_SOURCE_DIR} train/observe/event.proto
                   DEPENDS train/observe/event.proto WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)

orr_library(train/timing LINKS orr_kernels orr_dist)
orr_library(train/model LINKS orr_train_timing orr_configs orr_data_clips LIBRARIES m)
orr_library(train/setup LINKS orr_train_model)
orr_library(train/step LINKS orr_train_model LIBRARIES m)
orr_library(train/save LINKS orr_train_step orr_train_setup orr_checkpoints)
orr_library(train/observe LINKS orr_train_step orr_train_setup LIBRARIES PkgConfig::PROTOBUF_C Threads::Threads m
         INCLUDES ${GENERATED} SOURCES ${EVENT}.c)
orr_library(train/run LINKS orr_train_save orr_train_observe LIBRARIES m)
orr_library(train/engine LINKS orr_train_model LIBRARIES m)
orr_library(train/infer LINKS orr_train_save orr_train_observe orr_train_engine LIBRARIES m)
orr_library(train/eval LINKS orr_train_infer orr_data_sim LIBRARIES m)
orr_library(train/report LINKS orr_train_observe LIBRARIES m)
orr_library(train/bench LINKS orr_train_infer LIBRARIES Threads::Threads m)
orr_library(train/cli LINKS orr_train_run orr_train_eval orr_train_report orr_train_bench orr_data LIBRARIES m)
add_library(orr_train INTERFACE)
target_link_libraries(orr_train INTERFACE orr_train_cli)
add_executable(orrery train/cli/main.c)
target_link_libraries(orrery PRIVATE orr_train)
install(TARGETS orrery RUNTIME DESTINATION bin)
install(DIRECTORY configs/ DESTINATION share/orrery/configs FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY slurm/ DESTINATION share/orrery/slurm)
