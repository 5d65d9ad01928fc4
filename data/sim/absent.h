// What every scene says in a build without MuJoCo and OSMesa. Private to data/sim/.
#ifndef DATA_SIM_ABSENT_H
#define DATA_SIM_ABSENT_H

#include "base/status.h"

static inline orr_code data_simulator_absent(void) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no simulator: install libmujoco-dev and "
                                    "libosmesa6-dev, configure again and rebuild");
}

#endif
