#include "train/engine/inputs.h"

#define TAKE(field, count) in->field = orr_arena_take(a, (size_t)(count) * sizeof *in->field)

void train_engine_side_place(train_engine_side *s, const train_dynamics_dims *d, int64_t batch,
                             int64_t steps, int64_t memory) {
  orr_arena *a = &s->arena;
  train_engine_inputs *in = &s->in;
  const int64_t half = d->block.K / 2;
  for (int o = 0; o < TRAIN_OUTCOMES; o++)
    if (d->outcome[o]) TAKE(outcome[o], batch * train_outcome_bins((train_outcome)o));
  TAKE(tokens, batch * d->S);
  TAKE(nll, batch);
  if (d->before) TAKE(before, batch * d->S);
  TAKE(action, batch * 2 * d->A);
  TAKE(has_action, batch);
  TAKE(no_action, batch);
  TAKE(branch, batch);
  TAKE(ring, batch);
  TAKE(frame, batch);
  TAKE(cos_, batch * half);
  TAKE(sin_, batch * half);
  TAKE(sink_cos, batch * half);
  TAKE(sink_sin, batch * half);
  if (memory) {
    TAKE(pin, batch * memory);
    TAKE(pin_to, batch);
    TAKE(pin_from, batch);
    TAKE(pin_cos, batch * half);
    TAKE(pin_sin, batch * half);
  }
  TAKE(seed, batch);
  TAKE(sample, batch);
  TAKE(temperature, batch);
  TAKE(draw, steps * batch);
  TAKE(noise, steps * batch);
  TAKE(left, steps * batch);
}
