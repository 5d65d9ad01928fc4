#include "train/eval/shuffle.h"

#include <string.h>

#include "base/mem.h"
#include "train/model/masking.h"

enum { CLIPS = 8 }; // side by side

// A batch of clips, on either side of the border between host and device.
typedef struct {
  int32_t *tokens;     // [B*T,S]
  int32_t *before;     // [B*T,S], where the model asks for it
  float *action;       // [B*T,2A]
  uint8_t *has_action; // [B*T]
  int32_t *branch;     // [B]
  int32_t *masked_row, *target;
} teacher_inputs;

typedef struct {
  const train_loaded_model *dynamics;
  const train_eval_set *set;
  uint64_t seed;
  train_dynamics *model;
  orr_arena acts, inputs, staging; // staging: pinned, laid out like inputs
  int64_t B, T;
  teacher_inputs in, host;
  double *loss, *host_loss; // the latter pinned
  float *value, *valid;     // [T,A] of one clip, as the data set has them
} teacher;

static void place_inputs(const teacher *t, orr_arena *a, teacher_inputs *in) {
  const size_t frames = (size_t)(t->B * t->T), A = (size_t)t->set->A,
               rows = (size_t)train_dynamics_loss_capacity(t->model);
  in->tokens = orr_arena_take(a, frames * (size_t)t->set->S * sizeof *in->tokens);
  if (t->dynamics->dynamics.before)
    in->before = orr_arena_take(a, frames * (size_t)t->set->S * sizeof *in->before);
  in->action = orr_arena_take(a, frames * 2 * A * sizeof *in->action);
  in->has_action = orr_arena_take(a, frames);
  in->branch = orr_arena_take(a, (size_t)t->B * sizeof *in->branch);
  in->masked_row = orr_arena_take(a, rows * sizeof *in->masked_row);
  in->target = orr_arena_take(a, rows * sizeof *in->target);
}

static orr_code place(teacher *t) {
  place_inputs(t, &t->inputs, &t->in);
  place_inputs(t, &t->staging, &t->host);
  t->loss = orr_arena_take(&t->inputs, sizeof *t->loss);
  t->host_loss = orr_arena_take(&t->staging, sizeof *t->host_loss);
  return train_dynamics_place(t->model, &t->acts);
}

static orr_code teacher_take(teacher *t) {
  const train_loaded_model *m = t->dynamics;
  const size_t values = (size_t)(t->T * t->set->A);
  kern_arena_init(m->k, &t->acts, "evaluation activations");
  kern_arena_init(m->k, &t->inputs, "evaluation inputs");
  kern_arena_init_pinned(m->k, &t->staging, "staged evaluation inputs");
  t->value = orr_malloc(values * sizeof *t->value);
  t->valid = orr_malloc(values * sizeof *t->valid);
  ORR_CHECK(t->value && t->valid, ORR_ENOMEM, "evaluation: out of memory");
  ORR_TRY(train_dynamics_create(m->k, &m->dynamics, &m->dynamics_p, &m->state.weights, t->B, t->T,
                                TRAIN_NO_BACKWARD, &t->model));
  ORR_TRY(place(t));
  ORR_TRY(orr_arena_commit(&t->acts));
  ORR_TRY(orr_arena_commit(&t->inputs));
  ORR_TRY(orr_arena_commit(&t->staging));
  return place(t);
}

static void teacher_release(teacher *t) {
  orr_free(t->valid);
  orr_free(t->value);
  train_dynamics_destroy(t->model);
  orr_arena_release(&t->staging);
  orr_arena_release(&t->inputs);
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
                                .tokens = t->host.tokens + b * t->T * s->S,
                                .before = t->host.before ? t->host.before + b * t->T * s->S : NULL,
                                .action = t->host.action + b * t->T * 2 * s->A,
                                .has_action = t->host.has_action + b * t->T};
  t->host.branch[b] = s->branch;
  return train_masking_apply(mask, &c, b, t->host.masked_row + n, t->host.target + n, NULL);
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

// The loss of the batch in t->host, of which `rows` count or are padding, is added to
// *t->host_loss.
static orr_code add_loss(teacher *t, int64_t rows) {
  kern *k = t->dynamics->k;
  const teacher_inputs *in = &t->in;
  const train_dynamics_batch b = {.tokens = in->tokens,
                                  .before = in->before,
                                  .action = in->action,
                                  .has_action = in->has_action,
                                  .branch = in->branch,
                                  .masked_row = in->masked_row,
                                  .target = in->target,
                                  .masked_rows = rows};
  ORR_TRY(kern_copy(k, &(kern_copy_args){.dst = t->inputs.base,
                                         .src = t->staging.base,
                                         .bytes = t->inputs.used,
                                         .way = KERN_COPY_IN}));
  ORR_TRY(train_dynamics_forward(t->model, &b));
  ORR_TRY(train_dynamics_loss(t->model, &b, NULL, false, t->loss, NULL, NULL));
  ORR_TRY(kern_copy(
      k, &(kern_copy_args){
             .dst = t->host_loss, .src = t->loss, .bytes = sizeof *t->loss, .way = KERN_COPY_OUT}));
  return kern_sync(k);
}

static orr_code run(teacher *t, const int64_t *source, double *loss) {
  double positions = 0.0;
  *t->host_loss = 0.0;
  for (int64_t first = 0; first < t->set->E; first += t->B) {
    int64_t n = mask_clips(t, first, source);
    positions += (double)n;
    const int64_t rows = (n + TRAIN_LOSS_ROWS - 1) / TRAIN_LOSS_ROWS * TRAIN_LOSS_ROWS;
    for (; n < rows; n++) t->host.masked_row[n] = t->host.target[n] = -1;
    ORR_TRY(add_loss(t, rows));
  }
  *loss = positions > 0.0 ? *t->host_loss / positions : 0.0;
  return ORR_OK;
}

orr_code train_eval_loss(const train_loaded_model *dynamics, const train_eval_set *s, uint64_t seed,
                         const int64_t *source, double *loss) {
  const int64_t frames = dynamics->c->data.frames;
  teacher t = {.dynamics = dynamics,
               .set = s,
               .seed = seed,
               .B = s->E < CLIPS ? s->E : CLIPS,
               .T = frames < s->T ? frames : s->T};
  orr_code rc = teacher_take(&t);
  if (rc == ORR_OK) rc = run(&t, source, loss);
  teacher_release(&t);
  return rc;
}
