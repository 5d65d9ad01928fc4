// The rooms scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/rooms.h"

#include "data/sim/absent.h"

orr_code data_rooms_create(int64_t height, int64_t width, double fps, data_rooms **out) {
  return data_simulator_absent();
}

void data_rooms_destroy(data_rooms *r) {}

orr_code data_rooms_reset(data_rooms *r, uint64_t seed, uint64_t episode) {
  return data_simulator_absent();
}

const data_rooms_plan *data_rooms_plan_of(const data_rooms *r) {
  return NULL;
}

orr_code data_rooms_step(data_rooms *r, const float *action) {
  return data_simulator_absent();
}

void data_rooms_state(const data_rooms *r, float *state) {}

orr_code data_rooms_render(data_rooms *r, uint8_t *rgb) {
  return data_simulator_absent();
}
