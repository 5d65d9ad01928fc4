// A small world as MuJoCo's model. Only data/sim/physics_play.c includes this file.
#ifndef DATA_PHYSICS_MODEL_H
#define DATA_PHYSICS_MODEL_H

#include "data/sim/mujoco.h"
#include "data/sim/physics_stage.h"

// Where the screen stands before the plane of things, and what hangs from above, in metres.
#define DATA_PHYSICS_SCREEN_Y    -0.40
#define DATA_PHYSICS_SCREEN_TALL 2.0   // of the screen's box, most of it below the floor
#define DATA_PHYSICS_SCREEN_SUNK -0.75 // its top while it is out of sight

// Local. Bodies: 1 the screen, 2 the hook (both moved by hand), 3.. the things; the joints of a
// thing are sideways, upwards and, where it turns, about the camera's axis. Free it with
// mj_deleteModel.
orr_code data_physics_compile(const data_physics_stage *s, double timestep_s, mjModel **out);

#endif
