#include "train/eval/measure.h"

#include "base/log.h"

orr_code train_measure_all(const train_films *f, json_t *out) {
#define ROW(name) &train_measure_##name,
  static const train_measure *const all[] = {TRAIN_MEASURES(ROW)};
#undef ROW
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (f->brief && all[i]->lacks) continue;
    const char *why = all[i]->lacks ? all[i]->lacks(f->set) : NULL;
    if (why)
      ORR_INFO("eval: no %s: %s", all[i]->figures, why);
    else
      ORR_TRY(all[i]->take(f, out));
  }
  return ORR_OK;
}
