// The tabletop scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/tabletop.h"

#include "data/sim/absent.h"

bool data_tabletop_available(void) {
  return false;
}

void data_tabletop_versions(orr_version_told *told, void *to) {}

orr_code data_tabletop_create(int64_t height, int64_t width, double fps, data_tabletop **out) {
  return data_simulator_absent();
}

void data_tabletop_destroy(data_tabletop *t) {}

orr_code data_tabletop_reset(data_tabletop *t, uint64_t seed, uint64_t episode) {
  return data_simulator_absent();
}

orr_code data_tabletop_place(data_tabletop *t, const float *state) {
  return data_simulator_absent();
}

orr_code data_tabletop_step(data_tabletop *t, const float *action) {
  return data_simulator_absent();
}

void data_tabletop_state(const data_tabletop *t, float *state) {}

unsigned data_tabletop_touched(const data_tabletop *t) {
  return 0;
}

orr_code data_tabletop_render(data_tabletop *t, uint8_t *rgb) {
  return data_simulator_absent();
}
