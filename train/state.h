// What training carries from step to step: master weights, their bfloat16 working copy, gradients,
// AdamW's moments and the moving average, each flat in the layout of the parameter list, each in an
// arena of its own.
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/params.h"

typedef struct {
  train_params params;   // filled by the caller before train_state_place
  train_weights weights; // master, work, grad
  float *m, *v, *ema;    // NULL when absent
  bool training, has_ema;
  orr_arena parameters, gradients, optimizer;
  ckpt_tensor *tensors; // the list for checkpoints/, made on demand
  ckpt_set sets[4];     // model, m, v, ema
} train_state;

// Local. Starts with empty arenas that count; add parameters to s->params, then place.
void train_state_init(train_state *s, kern_dtype act, bool training, bool ema);
// Local. Lays out all arrays: once counting (placeholders), once after train_state_commit.
void train_state_place(train_state *s);
orr_code train_state_commit(train_state *s); // ORR_ENOMEM names the arena
void train_state_release(train_state *s);

// Local. Initial weights from the seed, moments zero, average = weights.
orr_code train_state_fill(train_state *s, kern *k, uint64_t seed);
// Local. master -> work, after the master weights were set from outside.
orr_code train_state_refresh(train_state *s, kern *k);
// Local. One AdamW step on everything; `scale` multiplies the gradients (clipping). step >= 1.
orr_code train_state_update(train_state *s, kern *k, const cfg *c, double lr, float scale,
                            int64_t step);

// Local. The plan for checkpoints/ (borrowed from s) and the copy functions for it.
orr_code train_state_plan(train_state *s, int64_t file_bytes, ckpt_plan *out);
orr_code train_state_get(void *state, int set, int tensor, uint64_t first, size_t bytes,
                         void *host);
// Local. Everything from a checkpoint: weights, moments, average. ORR_EINVAL names the tensor that
// does not fit the configuration.
orr_code train_state_load(train_state *s, kern *k, ckpt_reader *r);
// Local. Only the weights; from the moving average when `ema` and the checkpoint has one. *took_ema
// (may be NULL) says which.
orr_code train_state_load_weights(train_state *s, kern *k, ckpt_reader *r, bool ema,
                                  bool *took_ema);

#endif
