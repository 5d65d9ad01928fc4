# The simulator of `orrery data generate`: MuJoCo with OSMesa, or the file that says it is absent.
find_library(MUJOCO_LIBRARY mujoco)
find_path(MUJOCO_INCLUDE mujoco/mujoco.h)
find_library(OSMESA_LIBRARY OSMesa)
find_path(OSMESA_INCLUDE GL/osmesa.h)
set(SIMULATOR_WITH data/sim/mujoco.c data/sim/canvas.c data/sim/tabletop.c data/sim/tabletop_model.c data/sim/arm.c data/sim/arm_model.c data/sim/rooms.c data/sim/rooms_model.c
                   data/sim/physics_play.c data/sim/physics_model.c)
set(SIMULATOR_WITHOUT data/sim/tabletop_absent.c data/sim/arm_absent.c data/sim/rooms_absent.c data/sim/physics_absent.c)
if(MUJOCO_LIBRARY AND MUJOCO_INCLUDE AND OSMESA_LIBRARY AND OSMESA_INCLUDE)
  set_source_files_properties(${SIMULATOR_WITHOUT} PROPERTIES HEADER_FILE_ONLY ON) # = not compiled
  target_include_directories(orr_data_sim PRIVATE ${MUJOCO_INCLUDE} ${OSMESA_INCLUDE})
  target_link_libraries(orr_data_sim PRIVATE ${MUJOCO_LIBRARY} ${CMAKE_DL_LIBS})
  file(REAL_PATH ${OSMESA_LIBRARY} osmesa) # libOSMesa.so.8.0.0, which programs load as libOSMesa.so.8
  string(REGEX MATCH "libOSMesa\\.so\\.[0-9]+" osmesa ${osmesa})
  set_source_files_properties(data/sim/canvas.c PROPERTIES COMPILE_DEFINITIONS OSMESA_LIBRARY="${osmesa}")
else()
  set_source_files_properties(${SIMULATOR_WITH} PROPERTIES HEADER_FILE_ONLY ON)
  message(STATUS "No simulator: `orrery data generate` needs libmujoco-dev and libosmesa6-dev")
endif()
