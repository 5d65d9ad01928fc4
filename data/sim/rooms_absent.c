// The rooms scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/rooms.h"

static orr_code absent(void) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no simulator: install libmujoco-dev and "
                                    "libosmesa6-dev, configure again and rebuild");
}

orr_code data_rooms_create(int64_t height, int64_t width, double fps, data_rooms **out) {
  return absent();
}

void data_rooms_destroy(data_rooms *r) {}

orr_code data_rooms_reset(data_rooms *r, uint64_t seed, uint64_t episode) {
  return absent();
}

const data_rooms_plan *data_rooms_plan_of(const data_rooms *r) {
  return NULL;
}

orr_code data_rooms_step(data_rooms *r, const float *action) {
  return absent();
}

void data_rooms_state(const data_rooms *r, float *state) {}

orr_code data_rooms_render(data_rooms *r, uint8_t *rgb) {
  return absent();
}
