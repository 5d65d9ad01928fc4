// The rooms scene's model. Only data/sim/rooms*.c include this file.
#ifndef DATA_ROOMS_MODEL_H
#define DATA_ROOMS_MODEL_H

#include "data/sim/mujoco.h"
#include "data/sim/rooms.h"

// Parts of a wall: beside its door to both sides, above it; a picture's frame and middle.
enum { DATA_ROOMS_PARTS = 5 };

// Local. The model with all that any episode needs, compiled; the caller frees it.
orr_code data_rooms_compile(double timestep_s, mjModel **out);
// Local. Sizes, places and colours of everything as `p` has it. What is not there lies below
// ground.
void data_rooms_furnish(mjModel *model, const data_rooms_plan *p);

#endif
