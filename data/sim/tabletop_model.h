// The tabletop scene's model. Only data/sim/tabletop.c includes this file.
#ifndef DATA_TABLETOP_MODEL_H
#define DATA_TABLETOP_MODEL_H

#include "data/sim/mujoco.h"

// Local. The model, compiled; the caller frees it with mj_deleteModel.
orr_code data_tabletop_compile(double timestep_s, mjModel **out);

#endif
