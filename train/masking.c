#include "train/masking.h"

#include <math.h>

#include "base/rng.h"

static void mask_actions(const train_masking *o, const train_masking_clip *c) {
  for (int64_t t = 0; t < o->T; t++) {
    double drop = orr_rng_uniform(o->seed, ORR_STREAM_ACTION_DROP, c->sample, (uint64_t)t);
    c->has_action[t] = t > 0 && drop >= o->action_drop;
    for (int64_t a = 0; a < o->A; a++) {
      float valid = c->valid_in[t * o->A + a];
      c->action[t * 2 * o->A + a] = c->action_in[t * o->A + a] * valid;
      c->action[t * 2 * o->A + o->A + a] = valid;
    }
  }
}

// Share of frame t's positions that are masked.
static double mask_ratio(const train_masking *o, uint64_t sample, int64_t t) {
  if (t == 0) return 0.0;
  orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK_RATIO, sample, (uint64_t)t);
  if (orr_u32_to_unit(u.v[1]) < o->full_mask) return 1.0;
  return cos(0.5 * 3.14159265358979323846 * orr_u32_to_unit(u.v[0]));
}

int64_t train_masking_apply(const train_masking *o, const train_masking_clip *c, int64_t b,
                            int32_t *masked_row, int32_t *target) {
  const double corrupt = o->corrupt * orr_rng_uniform(o->seed, ORR_STREAM_CORRUPT, c->sample, 0);
  int64_t n = 0;
  mask_actions(o, c);
  for (int64_t t = 0; t < o->T; t++) {
    const double ratio = mask_ratio(o, c->sample, t);
    for (int64_t s = 0; s < o->S; s++) {
      const int64_t i = t * o->S + s;
      const orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK, c->sample, (uint64_t)i);
      if (orr_u32_to_unit(u.v[0]) < ratio) {
        masked_row[n] = (int32_t)((b * o->T + t) * o->N + 1 + s);
        target[n++] = c->tokens_in[i];
        c->tokens[i] = (int32_t)o->V;
      } else if (t > 0 && orr_u32_to_unit(u.v[1]) < corrupt) {
        c->tokens[i] = (int32_t)(((uint64_t)u.v[2] * (uint64_t)o->V) >> 32);
      } else {
        c->tokens[i] = c->tokens_in[i];
      }
    }
  }
  return n;
}
