// The tabletop scene in a build without MuJoCo and OSMesa: every call says so.
#include "data/sim/tabletop.h"

static orr_code absent(void) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no simulator: install libmujoco-dev and "
                                    "libosmesa6-dev, configure again and rebuild");
}

bool data_tabletop_available(void) {
  return false;
}

void data_tabletop_versions(orr_version_told *told, void *to) {}

orr_code data_tabletop_create(int64_t height, int64_t width, double fps, data_tabletop **out) {
  return absent();
}

void data_tabletop_destroy(data_tabletop *t) {}

orr_code data_tabletop_reset(data_tabletop *t, uint64_t seed, uint64_t episode) {
  return absent();
}

orr_code data_tabletop_place(data_tabletop *t, const float *state) {
  return absent();
}

orr_code data_tabletop_step(data_tabletop *t, const float *action) {
  return absent();
}

void data_tabletop_state(const data_tabletop *t, float *state) {}

unsigned data_tabletop_touched(const data_tabletop *t) {
  return 0;
}

orr_code data_tabletop_render(data_tabletop *t, uint8_t *rgb) {
  return absent();
}
