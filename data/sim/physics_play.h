// A small world that runs, in MuJoCo. Not thread safe. The caller of a build without the simulator
// gets ORR_EUNSUPPORTED.
#ifndef DATA_PHYSICS_PLAY_H
#define DATA_PHYSICS_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sim/physics_stage.h"

typedef struct data_physics_play data_physics_play;
// Draws worlds; belongs to the thread that created it.
typedef struct data_physics_view data_physics_view;

// Local. Whether this build has the simulator.
bool data_physics_available(void);
// Local. ORR_EINVAL for a frame size or rate that cannot be. The caller destroys it.
orr_code data_physics_view_create(int64_t height, int64_t width, data_physics_view **out);
void data_physics_view_destroy(data_physics_view *v); // takes NULL

// Local. The world in its beginning, stepped 1/fps seconds at a time.
orr_code data_physics_play_create(const data_physics_stage *s, double fps, data_physics_play **out);
void data_physics_play_destroy(data_physics_play *p); // takes NULL
// Local. 1/fps seconds under action [DATA_PHYSICS_ACTIONS], clamped to [-1,1].
orr_code data_physics_play_step(data_physics_play *p, const float *action);
// Local. Writes the members of thing 0.. of a state; the rest is left alone.
void data_physics_play_state(const data_physics_play *p, float *state);
// Local. rgb [height,width,3] of the view.
orr_code data_physics_play_draw(data_physics_play *p, data_physics_view *v, uint8_t *rgb);

#endif
