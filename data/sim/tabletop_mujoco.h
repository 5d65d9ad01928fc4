// MuJoCo with our error codes, and what the scene's physics and renderer share.
// Only data/tabletop_*.c include this file.
#ifndef DATA_TABLETOP_MUJOCO_H
#define DATA_TABLETOP_MUJOCO_H

#include <mujoco/mujoco.h>
#include <stdint.h>

#include "base/status.h"

// Local. Runs fn(arg). MuJoCo reports faults by a handler that must not return, and by default
// ends the process; here a fault leaves fn at once and becomes an error that says `doing` and
// MuJoCo's words. What fn had allocated until then is lost, so keep fn small.
orr_code data_mujoco_call(void (*fn)(void *arg), void *arg, const char *doing);

// Local. The scene's model, compiled; the caller frees it with mj_deleteModel.
orr_code data_tabletop_compile(double timestep_s, mjModel **out);

// The renderer: an OSMesa context and MuJoCo's scene in it. One a thread at a time.
typedef struct data_tabletop_view data_tabletop_view;
// Local. Sets the model's frame buffer size and uploads it. ORR_EUNSUPPORTED names what OSMesa
// lacks.
orr_code data_tabletop_view_create(mjModel *model, int64_t height, int64_t width,
                                   data_tabletop_view **out);
// Local. rgb [height,width,3].
orr_code data_tabletop_view_draw(data_tabletop_view *v, mjModel *model, mjData *data, uint8_t *rgb);
void data_tabletop_view_destroy(data_tabletop_view *v);

#endif
