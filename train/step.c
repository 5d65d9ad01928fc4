#include "train/step.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static orr_code create_parts(train_step *s) {
  const cfg *c = s->c;
  const kern_dtype act = c->run.precision == CFG_PRECISION_BF16 ? KERN_BF16 : KERN_F32;
  train_state_init(&s->state, act, true, c->optim.ema_decay > 0.0);
  orr_arena_init(&s->exchange, "communication");
  ORR_TRY(train_axes_check(c, &s->axes->grid));
  ORR_TRY(train_stage_create(s->k, c, s->axes, &s->state, s->clips, s->micro, &s->stage));
  ORR_TRY(train_state_share(&s->state, c->dist.zero ? s->axes : NULL, c->dist.bucket_bytes));
  ORR_TRY(train_reduce_create(s->axes, &s->state, c->dist.bucket_bytes, &s->reduce));
  ORR_TRY(train_gather_create(s->axes, &s->state, &s->gather));
  train_step_overlap(s, c->dist.overlap);
  return ORR_OK;
}

void train_step_overlap(train_step *s, bool overlap) {
  train_reduce_overlap(s->reduce, overlap);
  train_gather_overlap(s->gather, overlap);
}

static void place(train_step *s) {
  train_state_place(&s->state);
  s->stage->table->place(s->stage);
  train_reduce_place(s->reduce, &s->exchange);
}

// Everything that moves in a step, on arrays that are not there yet.
static orr_code rehearse(train_step *s) {
  train_step_votes votes = {0};
  double units = 1.0, ms = 0.0, norm;
  ORR_TRY(train_axes_agree(s->axes, ORR_OK, "read data"));
  ORR_TRY(train_step_gradients(s, NULL, &units, &ms));
  ORR_TRY(train_step_vote(s, &votes));
  ORR_TRY(train_step_norm(s, &norm));
  return train_step_update(s, 0.0, 0.0f, 1);
}

orr_code train_step_plan(train_step *s, const cfg *c, train_axes *axes, kern *k) {
  const int dp = axes->grid.dp;
  *s = (train_step){.c = c, .axes = axes, .k = k};
  ORR_CHECK(c->train.batch % dp == 0, ORR_ECONFIG,
            "train.batch %lld is not divisible by the %d ranks of the data axis: change "
            "train.batch or the number of ranks",
            (long long)c->train.batch, dp);
  s->clips = c->train.batch / dp;
  s->micro = c->train.micro_batch ? c->train.micro_batch : s->clips;
  s->micros = s->clips / s->micro;
  ORR_TRY(create_parts(s));
  place(s);
  ORR_TRY(s->stage->table->run(s->stage, 0, 1.0f, NULL, NULL)); // every kernel of a micro-batch
  memset(axes->moved, 0, sizeof axes->moved);
  s->stage->table->foresee(s->stage, (uint64_t)(axes->grid.dp_i * s->clips));
  ORR_TRY(rehearse(s));
  memcpy(s->announced, axes->moved, sizeof s->announced);
  return ORR_OK;
}

static orr_code commit_arenas(train_step *s) {
  ORR_TRY(train_state_commit(&s->state));
  ORR_TRY(orr_arena_commit(&s->stage->activations));
  ORR_TRY(orr_arena_commit(&s->stage->exchange));
  ORR_TRY(orr_arena_commit(&s->stage->inputs));
  return orr_arena_commit(&s->exchange);
}

orr_code train_step_commit(train_step *s) {
  ORR_TRY(kern_commit(s->k));
  ORR_TRY(commit_arenas(s));
  place(s);
  ORR_TRY(orr_arena_check(&s->state.parameters));
  ORR_TRY(orr_arena_check(&s->state.gradients));
  ORR_TRY(orr_arena_check(&s->state.optimizer));
  ORR_TRY(orr_arena_check(&s->stage->activations));
  ORR_TRY(orr_arena_check(&s->stage->exchange));
  ORR_TRY(orr_arena_check(&s->stage->inputs));
  ORR_TRY(orr_arena_check(&s->exchange));
  s->stage->loss_sum = 0.0;
  ORR_TRY(train_axes_register(s->axes, &s->state.parameters));
  ORR_TRY(train_axes_register(s->axes, &s->state.gradients));
  ORR_TRY(train_axes_register(s->axes, &s->stage->exchange));
  return train_axes_commit(s->axes);
}

void train_step_release(train_step *s) {
  train_gather_destroy(s->gather);
  train_reduce_destroy(s->reduce);
  train_stage_destroy(s->stage);
  orr_arena_release(&s->exchange);
  train_state_release(&s->state);
  s->gather = NULL;
  s->reduce = NULL;
  s->stage = NULL;
}

orr_code train_step_gradients(train_step *s, const data_clip_batch *b, double *units,
                              double *wait_ms) {
  train_stage *stage = s->stage;
  if (!s->axes->planning) {
    memset(s->state.weights.grad, 0, (size_t)s->state.params.total * sizeof(float));
    stage->loss_sum = 0.0;
    train_profile_enter(s->axes->profile, TRAIN_PHASE_INPUT, "input", -1);
    ORR_TRY(stage->table->prepare(stage, b, units));
    train_profile_leave(s->axes->profile);
  }
  ORR_TRY(train_axes_all_reduce(s->axes, DIST_AXIS_REPLICA, units, 1, DIST_F64, DIST_SUM));
  const float scale = *units > 0.0 ? (float)(1.0 / *units) : 0.0f;
  for (int64_t micro = 0; micro < s->micros; micro++) {
    const bool last = micro + 1 == s->micros;
    ORR_TRY(stage->table->run(stage, micro, scale, last ? train_reduce_ready : NULL, s->reduce));
  }
  return train_reduce_finish(s->reduce, wait_ms);
}

orr_code train_step_vote(train_step *s, train_step_votes *votes) {
  // All ranks of tp have the same loss.
  votes->loss_sum = train_axes_rank(s->axes, DIST_AXIS_TP) == 0 ? s->stage->loss_sum : 0.0;
  return train_axes_all_reduce(s->axes, DIST_AXIS_WORLD, votes, sizeof *votes / sizeof(double),
                               DIST_F64, DIST_SUM);
}

orr_code train_step_norm(train_step *s, double *norm) {
  const dist_axis over = s->state.shard.ranks > 1 ? DIST_AXIS_WORLD : DIST_AXIS_TP;
  double sum = 0.0;
  ORR_TRY(train_state_sumsq(&s->state, s->k, &sum));
  ORR_TRY(train_axes_all_reduce(s->axes, over, &sum, 1, DIST_F64, DIST_SUM));
  *norm = sqrt(sum);
  return ORR_OK;
}

orr_code train_step_update(train_step *s, double lr, float scale, int64_t step) {
  const kern_verdict verdict = {.scale = scale};
  const bool shared = s->state.shard.ranks > 1;
  kern_adamw_rates rates;
  ORR_TRY(kern_adamw_rates_of(lr, s->c->optim.beta1, s->c->optim.beta2, step, &rates));
  ORR_TRY(train_state_update(&s->state, s->k, s->c, &rates, &verdict,
                             shared ? train_gather_bucket : NULL, s->gather));
  return train_gather_finish(s->gather);
}
