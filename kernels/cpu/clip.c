// The verdict on a gradient before an update: how it is scaled (Pascanu et al. 2013), and whether
// the update is skipped, because loss or norm are not finite or above their bounds.
#include <math.h>

#include "kernels/cpu/cpu.h"

orr_code CPU_FN(clip)(kern *k, const kern_clip_args *a) {
  if (k->planning) return ORR_OK;
  const kern_bounds *b = a->bounds;
  const double norm = sqrt(*a->sumsq), loss = b->units > 0.0 ? *a->loss_sum / b->units : 0.0;
  *a->out = (kern_clip_result){
      .scale = a->limit > 0.0 && norm > a->limit ? (float)(a->limit / norm) : 1.0f,
      .skip = !isfinite(norm) || !isfinite(loss) || norm > b->norm || loss > b->loss};
  return ORR_OK;
}
