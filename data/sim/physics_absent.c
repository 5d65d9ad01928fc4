// The physics scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/physics_play.h"

#include "data/sim/absent.h"

bool data_physics_available(void) {
  return false;
}

orr_code data_physics_view_create(int64_t height, int64_t width, data_physics_view **out) {
  return data_simulator_absent();
}

void data_physics_view_destroy(data_physics_view *v) {}

orr_code data_physics_play_create(const data_physics_stage *s, double fps,
                                  data_physics_play **out) {
  return data_simulator_absent();
}

void data_physics_play_destroy(data_physics_play *p) {}

orr_code data_physics_play_step(data_physics_play *p, const float *action) {
  return data_simulator_absent();
}

void data_physics_play_state(const data_physics_play *p, float *state) {}

orr_code data_physics_play_draw(data_physics_play *p, data_physics_view *v, uint8_t *rgb) {
  return data_simulator_absent();
}
