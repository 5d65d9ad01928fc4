#include "train/model/masking.h"

#include <math.h>

#include "base/rng.h"

// Frames [first, end) of clip b, and where they go.
typedef struct {
  int64_t first, end;
  int64_t row, step; // number of the first one among the batch's frames, and from one to the next
  int64_t out;       // of the first one in the arrays that are filled
} block;

// Whether a clip begins with frame t.
static bool begins(const train_masking *o, int64_t t) {
  return o->piece ? t % o->piece == 0 : t == 0;
}

static block block_of(const train_masking *o, int64_t b) {
  if (o->frames == 0) return (block){.end = o->T, .row = b * o->T, .step = 1};
  const int64_t at = b * o->clip_step;
  return (block){
      .first = o->first, .end = o->first + o->frames, .row = at, .step = o->frame_step, .out = at};
}

static void mask_actions(const train_masking *o, const train_masking_clip *c, const block *f) {
  for (int64_t t = f->first; t < f->end; t++) {
    const int64_t to = f->out + (t - f->first) * f->step;
    double drop = orr_rng_uniform(o->seed, ORR_STREAM_ACTION_DROP, c->sample, (uint64_t)t);
    c->has_action[to] = !begins(o, t) && drop >= o->action_drop;
    for (int64_t a = 0; a < o->A; a++) {
      float valid = c->valid_in[t * o->A + a];
      c->action[to * 2 * o->A + a] = c->action_in[t * o->A + a] * valid;
      c->action[to * 2 * o->A + o->A + a] = valid;
    }
  }
}

// Whether frame t lies in the hidden stretch of its clip: 2 frames or more, at most half of the
// clip's T, from the third frame on, so that how things move was seen.
static bool hidden(const train_masking *o, uint64_t sample, int64_t t) {
  const int64_t T = o->piece ? o->piece : o->T, clip = t / T, at = t % T, most = T / 2;
  if (o->blind == 0.0 || most < 2) return false;
  const orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_BLIND, sample, (uint64_t)clip);
  if (orr_u32_to_unit(u.v[0]) >= o->blind) return false;
  const int64_t length = 2 + (int64_t)(((uint64_t)u.v[1] * (uint64_t)(most - 1)) >> 32),
                places = T - 1 - length,
                first = 2 + (int64_t)(((uint64_t)u.v[2] * (uint64_t)places) >> 32);
  return at >= first && at < first + length;
}

// Share of frame t's positions that are masked.
static double mask_ratio(const train_masking *o, uint64_t sample, int64_t t) {
  if (begins(o, t)) return 0.0;
  if (hidden(o, sample, t)) return 1.0;
  orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK_RATIO, sample, (uint64_t)t);
  if (orr_u32_to_unit(u.v[1]) < o->full_mask) return 1.0;
  return cos(0.5 * 3.14159265358979323846 * orr_u32_to_unit(u.v[0]));
}

bool train_masking_own(const train_masking *o, uint64_t sample, int64_t t) {
  if (begins(o, t) || o->own_codes == 0.0 || mask_ratio(o, sample, t) == 1.0) return false;
  return orr_rng_uniform(o->seed, ORR_STREAM_OWN_CODES, sample, (uint64_t)t) < o->own_codes;
}

// The code at position s of frame t as context: given, or replaced by a random one.
static int32_t context_code(const train_masking *o, const train_masking_clip *c, int64_t t,
                            int64_t s, double corrupt) {
  const int64_t i = t * o->S + s;
  if (begins(o, t)) return c->tokens_in[i];
  if (hidden(o, c->sample, t)) return (int32_t)o->V;
  const orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK, c->sample, (uint64_t)i);
  if (orr_u32_to_unit(u.v[1]) >= corrupt) return c->tokens_in[i];
  return (int32_t)(((uint64_t)u.v[2] * (uint64_t)o->V) >> 32);
}

// Of position i of the clip; frame 0 is never masked.
static float loss_weight(const train_masking *o, const train_masking_clip *c, int64_t i) {
  return c->tokens_in[i] != c->tokens_in[i - o->S] ? (float)o->change_weight : 1.0f;
}

int64_t train_masking_apply(const train_masking *o, const train_masking_clip *c, int64_t b,
                            int32_t *masked_row, int32_t *target, float *weight) {
  const double corrupt = o->corrupt * orr_rng_uniform(o->seed, ORR_STREAM_CORRUPT, c->sample, 0);
  const block f = block_of(o, b);
  int64_t n = 0;
  mask_actions(o, c, &f);
  for (int64_t t = f.first; t < f.end; t++) {
    const double ratio = mask_ratio(o, c->sample, t);
    const int64_t moved = (t - f.first) * f.step;
    const bool own = c->given && train_masking_own(o, c->sample, t);
    for (int64_t s = 0; s < o->S; s++) {
      const int64_t i = t * o->S + s;
      int32_t *token = c->tokens + (f.out + moved) * o->S + s;
      const orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK, c->sample, (uint64_t)i);
      if (c->given)
        c->given[token - c->tokens] = own ? (int32_t)o->V : context_code(o, c, t, s, corrupt);
      if (c->before)
        c->before[token - c->tokens] =
            begins(o, t) ? (int32_t)o->V : context_code(o, c, t - 1, s, corrupt);
      if (orr_u32_to_unit(u.v[0]) < ratio) {
        masked_row[n] = (int32_t)((f.row + moved) * o->N + 1 + s);
        if (weight) weight[n] = loss_weight(o, c, i);
        target[n++] = c->tokens_in[i];
        *token = (int32_t)o->V;
      } else {
        *token = context_code(o, c, t, s, corrupt);
      }
    }
  }
  return n;
}

int64_t train_masking_count(const train_masking *o, uint64_t sample) {
  const block f = block_of(o, 0);
  int64_t n = 0;
  for (int64_t t = f.first; t < f.end; t++) {
    const double ratio = mask_ratio(o, sample, t);
    for (int64_t s = 0; s < o->S; s++) {
      const orr_u32x4 u = orr_rng_draw(o->seed, ORR_STREAM_MASK, sample, (uint64_t)(t * o->S + s));
      n += orr_u32_to_unit(u.v[0]) < ratio;
    }
  }
  return n;
}
