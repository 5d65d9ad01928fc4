// The arm scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/arm.h"

static orr_code absent(void) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no simulator: install libmujoco-dev and "
                                    "libosmesa6-dev, configure again and rebuild");
}

orr_code data_arm_create(int64_t height, int64_t width, double fps, data_arm **out) {
  return absent();
}

void data_arm_destroy(data_arm *a) {}

orr_code data_arm_reset(data_arm *a, uint64_t seed, uint64_t episode) {
  return absent();
}

orr_code data_arm_step(data_arm *a, const float *action) {
  return absent();
}

void data_arm_state(const data_arm *a, float *state) {}

orr_code data_arm_render(data_arm *a, uint8_t *rgb) {
  return absent();
}
