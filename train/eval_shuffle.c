#include "train/eval_shuffle.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "train/masking.h"

enum { CLIPS = 8 }; // side by side

typedef struct {
  const train_trained *dynamics;
  const train_eval_set *set;
  uint64_t seed;
  train_dynamics *model;
  orr_arena acts;
  int64_t B, T;
  int32_t *tokens, *masked_row, *target, *branch;
  float *action;
  float *value, *valid; // [T,A] of one clip, as the data set has them
  uint8_t *has;
} teacher;

static orr_code teacher_take(teacher *t) {
  const train_trained *m = t->dynamics;
  const size_t frames = (size_t)(t->B * t->T), A = (size_t)t->set->A;
  ORR_TRY(train_dynamics_create(m->k, &m->dynamics, &m->dynamics_p, &m->state.weights, t->B, t->T,
                                TRAIN_NO_BACKWARD, &t->model));
  train_dynamics_place(t->model, &t->acts);
  ORR_TRY(orr_arena_commit(&t->acts));
  train_dynamics_place(t->model, &t->acts);
  const size_t rows = (size_t)train_dynamics_loss_capacity(t->model);
  t->tokens = orr_malloc(frames * (size_t)t->set->S * sizeof *t->tokens);
  t->masked_row = orr_malloc(rows * sizeof *t->masked_row);
  t->target = orr_malloc(rows * sizeof *t->target);
  t->branch = orr_malloc((size_t)t->B * sizeof *t->branch);
  t->action = orr_malloc(frames * 2 * A * sizeof *t->action);
  t->value = orr_malloc((size_t)t->T * A * sizeof *t->value);
  t->valid = orr_malloc((size_t)t->T * A * sizeof *t->valid);
  t->has = orr_malloc(frames);
  ORR_CHECK(t->tokens && t->masked_row && t->target && t->branch && t->action && t->value &&
                t->valid && t->has,
            ORR_ENOMEM, "evaluation: out of memory");
  return ORR_OK;
}

static void teacher_release(teacher *t) {
  orr_free(t->has);
  orr_free(t->valid);
  orr_free(t->value);
  orr_free(t->action);
  orr_free(t->branch);
  orr_free(t->target);
  orr_free(t->masked_row);
  orr_free(t->tokens);
  train_dynamics_destroy(t->model);
  orr_arena_release(&t->acts);
}

// Clip `clip` into place b, under the actions of clip `from`; returns its number of masked rows.
static int64_t mask_clip(teacher *t, const train_masking *mask, int64_t b, int64_t clip,
                         int64_t from, int64_t n) {
  const train_eval_set *s = t->set;
  for (int64_t f = 0; f < t->T; f++) {
    const float *row = s->action + (from * s->T + f) * 2 * s->A;
    memcpy(t->value + f * s->A, row, (size_t)s->A * sizeof *row);
    memcpy(t->valid + f * s->A, row + s->A, (size_t)s->A * sizeof *row);
  }
  const train_masking_clip c = {.sample = (uint64_t)clip,
                                .tokens_in = s->tokens + clip * s->T * s->S,
                                .action_in = t->value,
                                .valid_in = t->valid,
                                .tokens = t->tokens + b * t->T * s->S,
                                .action = t->action + b * t->T * 2 * s->A,
                                .has_action = t->has + b * t->T};
  t->branch[b] = s->branch;
  return train_masking_apply(mask, &c, b, t->masked_row + n, t->target + n);
}

// Clips first, first+1, ...; places past the last clip repeat it, and their rows do not count.
static int64_t mask_clips(teacher *t, int64_t first, const int64_t *source) {
  const train_eval_set *s = t->set;
  const train_masking mask = {.T = t->T,
                              .S = s->S,
                              .A = s->A,
                              .V = t->dynamics->dynamics.V,
                              .N = t->dynamics->dynamics.N,
                              .full_mask = t->dynamics->c->model.full_mask,
                              .seed = t->seed};
  int64_t n = 0;
  for (int64_t b = 0; b < t->B; b++) {
    const bool counts = first + b < s->E;
    const int64_t clip = counts ? first + b : s->E - 1;
    const int64_t rows = mask_clip(t, &mask, b, clip, source[clip], n);
    if (counts) n += rows;
  }
  return n;
}

static orr_code run(teacher *t, const int64_t *source, double *loss) {
  double sum = 0.0, positions = 0.0;
  for (int64_t first = 0; first < t->set->E; first += t->B) {
    int64_t n = mask_clips(t, first, source);
    positions += (double)n;
    const int64_t rows = (n + TRAIN_LOSS_ROWS - 1) / TRAIN_LOSS_ROWS * TRAIN_LOSS_ROWS;
    for (; n < rows; n++) t->masked_row[n] = t->target[n] = -1;
    const train_dynamics_batch b = {.tokens = t->tokens,
                                    .action = t->action,
                                    .has_action = t->has,
                                    .branch = t->branch,
                                    .masked_row = t->masked_row,
                                    .target = t->target,
                                    .masked_rows = rows};
    ORR_TRY(train_dynamics_forward(t->model, &b));
    ORR_TRY(train_dynamics_loss(t->model, &b, NULL, false, &sum, NULL, NULL));
  }
  *loss = positions > 0.0 ? sum / positions : 0.0;
  return ORR_OK;
}

orr_code train_eval_loss(const train_trained *dynamics, const train_eval_set *s, uint64_t seed,
                         const int64_t *source, double *loss) {
  const int64_t frames = dynamics->c->data.frames;
  teacher t = {.dynamics = dynamics,
               .set = s,
               .seed = seed,
               .B = s->E < CLIPS ? s->E : CLIPS,
               .T = frames < s->T ? frames : s->T};
  orr_arena_init(&t.acts, "evaluation activations");
  orr_code rc = teacher_take(&t);
  if (rc == ORR_OK) rc = run(&t, source, loss);
  teacher_release(&t);
  return rc;
}
