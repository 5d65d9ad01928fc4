#include "train/bench/synthetic.h"

#include "base/rng.h"

orr_code train_bench_synthetic(const cfg *c, const dist_grid *g, int64_t clips,
                               data_clip_batch **out) {
  const data_mix_options o = {.kind = DATA_TOKENS,
                              .T = c->data.frames,
                              .S = c->model.rows * c->model.cols,
                              .codes = c->model.codes,
                              .A = c->model.actions};
  const uint64_t of = (uint64_t)g->dp_i;
  ORR_TRY(data_clip_batch_create(&o, clips, 0, out));
  data_clip_batch *d = *out;
  const int64_t tokens = clips * d->T * d->S, actions = clips * d->T * d->A;
  for (int64_t i = 0; i < tokens; i++)
    d->tokens[i] = (int32_t)orr_rng_below(0, ORR_STREAM_EVAL, of, (uint64_t)i, (uint64_t)o.codes);
  for (int64_t i = 0; i < actions; i++) {
    d->action[i] = orr_rng_normal(1, ORR_STREAM_EVAL, of, (uint64_t)i);
    d->valid[i] = 1.0f;
  }
  for (int64_t i = 0; i < clips; i++) {
    d->sample[i] = of * (uint64_t)clips + (uint64_t)i;
    d->branch[i] = (int32_t)(i % c->model.branches.n);
  }
  return ORR_OK;
}
