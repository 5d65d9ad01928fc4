// The arm scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/arm.h"

#include "data/sim/absent.h"

orr_code data_arm_create(int64_t height, int64_t width, double fps, data_arm **out) {
  return data_simulator_absent();
}

void data_arm_destroy(data_arm *a) {}

orr_code data_arm_reset(data_arm *a, uint64_t seed, uint64_t episode) {
  return data_simulator_absent();
}

orr_code data_arm_step(data_arm *a, const float *action) {
  return data_simulator_absent();
}

void data_arm_state(const data_arm *a, float *state) {}

orr_code data_arm_render(data_arm *a, uint8_t *rgb) {
  return data_simulator_absent();
}
