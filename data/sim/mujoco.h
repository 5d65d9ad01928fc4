// MuJoCo with our error codes. Only the scenes of data/sim/ that it simulates include this file.
#ifndef DATA_SIM_MUJOCO_H
#define DATA_SIM_MUJOCO_H

#include <mujoco/mujoco.h>

#include "base/status.h"

// Local. Runs fn(arg). MuJoCo reports faults by a handler that must not return, and by default
// ends the process; here a fault leaves fn at once and becomes an error that says `doing` and
// MuJoCo's words. What fn had allocated until then is lost, so keep fn small.
orr_code data_mujoco_call(void (*fn)(void *arg), void *arg, const char *doing);

// Local. The model that `xml` describes, of the scene `name`; the caller frees it with
// mj_deleteModel. ORR_EUNSUPPORTED with MuJoCo's words, ORR_ENOMEM.
orr_code data_mujoco_compile(const char *name, const char *xml, mjModel **out);
// Local. A state for it; freed with mj_deleteData.
orr_code data_mujoco_state(mjModel *model, mjData **out);
// Local. `steps` time steps of the scene `name`. ORR_EINVAL where the simulation diverges, which
// MuJoCo answers by a warning and a silent restart.
orr_code data_mujoco_step(const char *name, mjModel *model, mjData *data, int steps);
// Local. What follows from new positions, without a step.
orr_code data_mujoco_forward(mjModel *model, mjData *data);
// Local. Numbers of things by name; ORR_EUNSUPPORTED where the model has none of that name.
orr_code data_mujoco_find(const mjModel *model, mjtObj kind, const char *name, int *out);

#endif
