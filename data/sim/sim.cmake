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
  target_link_libraries(orr_data_sim PRIVATE ${MUJOCO_LIBRARY} ${OSMESA_LIBRARY})
else()
  set_source_files_properties(${SIMULATOR_WITH} PROPERTIES HEADER_FILE_ONLY ON)
  message(STATUS "No simulator: `orrery data generate` needs libmujoco-dev and libosmesa6-dev")
endif()
