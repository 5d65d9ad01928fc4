#include "train/step/step.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/model/precision.h"
#include "train/step/schedule.h"
#include "train/timing/marks.h"

// The state that the model runs on, and, with an adapter, that of the adapter.
static orr_code create_states(train_step *s, train_state *model) {
  const cfg *c = s->c;
  const bool ema = c->optim.ema_decay > 0.0;
  train_state_init(model, s->k, train_precision(c), true, ema && model == &s->state);
  model->frozen = model == &s->base;
  model->weights.products = &model->products;
  if (!model->frozen) model->params.segment_unit = train_state_segment_unit(c, s->axes);
  ORR_TRY(train_stage_create(s->k, c, s->axes, model, s->clips, s->micro, &s->stage));
  if (!model->frozen) return ORR_OK;
  train_state_init(&s->state, s->k, KERN_F32, true, ema);
  ORR_TRY(train_adapter_list(c, &s->base.params, s->axes, &s->state.params));
  return train_adapter_create(c, &s->base, &s->state, &s->adapter);
}

static orr_code create_parts(train_step *s) {
  const cfg *c = s->c;
  kern_arena_init(s->k, &s->exchange, "communication");
  kern_arena_init_pinned(s->k, &s->results, "results");
  ORR_TRY(train_axes_check(c, &s->axes->grid));
  ORR_TRY(train_timer_create(s->k, &s->timer));
  ORR_TRY(create_states(s, train_adapter_is_on(c) ? &s->base : &s->state));
  s->stage->timer = s->timer;
  // by set of marks, without fingerprints and with them
  ORR_TRY(train_capture_create(s->k, s->axes, 4 * s->stage->shapes, &s->replay));
  // What other ranks take part in is captured too where it is in the order of the device.
  // A curriculum changes the shapes of the time blocks.
  s->capture = c->run.capture && s->k->can_capture && c->data.frames_start == 0 &&
               (s->axes->on_device || train_axes_size(s->axes, DIST_AXIS_WORLD) == 1);
  ORR_TRY(train_state_share(&s->state, c, s->axes));
  if (c->run.exact) ORR_TRY(train_ordered_create(s->axes, &s->state, s->micros, &s->ordered));
  ORR_TRY(train_reduce_create(s->axes, &s->state, c->dist.bucket_bytes, s->micros, s->ordered,
                              &s->reduce));
  ORR_TRY(train_gather_create(s->axes, &s->state, &s->gather));
  ORR_TRY(train_fetch_create(s->axes, &s->state, &s->fetch));
  train_step_overlap(s, c->dist.overlap);
  return ORR_OK;
}

void train_step_overlap(train_step *s, bool overlap) {
  train_reduce_overlap(s->reduce, overlap);
  train_gather_overlap(s->gather, overlap);
  train_fetch_overlap(s->fetch, overlap);
}

// Of all leaves with run.exact: the loss, then those of the heads on registers.
static int64_t losses_of(const train_step *s) {
  return (1 + s->stage->outcomes) * s->exact.count;
}

static orr_code place(train_step *s) {
  train_state_place(&s->state);
  if (s->adapter) train_state_place(&s->base);
  if (s->adapter) train_adapter_place(s->adapter);
  ORR_TRY(train_stage_place(s->stage));
  ORR_TRY(train_reduce_place(s->reduce, &s->exchange));
  if (s->ordered) {
    s->exact.losses = orr_arena_take(&s->exchange, (size_t)losses_of(s) * sizeof *s->exact.losses);
    s->exact.squares = orr_arena_take(&s->exchange, KERN_SQUARES_BINS * sizeof *s->exact.squares);
  }
  s->totals = orr_arena_take(&s->exchange, sizeof *s->totals);
  s->stage->loss_sum = &s->totals->loss;
  s->stage->outcome_sum = s->totals->outcomes;
  s->stage->outcome_stride = 1;
  for (int i = 0; i < 2; i++) s->result[i] = orr_arena_take(&s->results, sizeof **s->result);
  return ORR_OK;
}

// Everything that moves in a step, on arrays that are not there yet.
static orr_code rehearse(train_step *s, bool fingerprint) {
  train_step_votes votes = {0};
  ORR_TRY(train_axes_agree(s->axes, ORR_OK, "read data"));
  ORR_TRY(
      train_step_gradients(s, NULL, &(train_step_request){.step = 1, .fingerprint = fingerprint}));
  ORR_TRY(train_step_vote(s, &votes));
  return train_step_update(s);
}

// The kernels of a curriculum's shorter clips; the last length is that of the model.
static orr_code plan_lengths(train_step *s) {
  const cfg *c = s->c;
  if (c->train.stage != CFG_STAGE_DYNAMICS) return ORR_OK;
  for (int64_t f = c->data.frames_start; f > 0 && f < c->data.frames; f *= 2) {
    s->stage->frames = f;
    ORR_TRY(train_stage_run(s->stage, 0, NULL, NULL));
  }
  if (c->data.frames_start) s->stage->frames = c->data.frames;
  return ORR_OK;
}

// Passes of one group each.
static orr_code take_groups(train_step *s) {
  const int64_t group = s->c->train.group;
  ORR_CHECK(
      s->clips % group == 0, ORR_ECONFIG,
      "run.exact: train.group %" PRId64 " does not divide the %" PRId64
      " clips of a rank (train.batch / dp): choose a divisor, or fewer ranks of the data axis",
      group, s->clips);
  s->micro = group;
  s->k->exact = true;
  s->axes->exact = true;
  s->axes->turn = train_state_windowed(s->c, s->axes) ? group : 0;
  s->exact.count = s->c->train.batch / group * TRAIN_EXACT_LEAVES;
  return ORR_OK;
}

orr_code train_step_plan(train_step *s, const cfg *c, train_axes *axes, kern *k) {
  const int dp = axes->grid.dp;
  *s = (train_step){.c = c, .axes = axes, .k = k};
  axes->turn = 0;
  ORR_CHECK(c->train.batch % dp == 0, ORR_ECONFIG,
            "train.batch %" PRId64 " is not divisible by the %d ranks of the data axis: change "
            "train.batch or the number of ranks",
            c->train.batch, dp);
  s->clips = c->train.batch / dp;
  s->micro = c->train.micro_batch ? c->train.micro_batch : s->clips;
  if (c->run.exact) ORR_TRY(take_groups(s));
  s->micros = s->clips / s->micro;
  ORR_TRY(create_parts(s));
  ORR_TRY(place(s));
  ORR_TRY(plan_lengths(s));
  ORR_TRY(train_stage_run(s->stage, 0, NULL, NULL)); // every kernel of a micro-batch
  memset(axes->moved, 0, sizeof axes->moved);
  if (c->data.frames_start) s->stage->frames = train_schedule_frames(c, 1);
  s->stage->ops->foresee(s->stage);
  ORR_TRY(rehearse(s, c->guard.record_every > 0));
  memcpy(s->announced, axes->moved, sizeof s->announced);
  return ORR_OK;
}

orr_code train_step_rehearse(train_step *s) {
  train_moved before[DIST_AXES][TRAIN_MOVES];
  memcpy(before, s->axes->moved, sizeof before);
  const orr_code rc = rehearse(s, false);
  memcpy(s->axes->moved, before, sizeof before);
  return rc;
}

orr_code train_step_commit(train_step *s) {
  ORR_TRY(kern_commit(s->k));
  ORR_TRY(train_state_commit(&s->state));
  if (s->adapter) ORR_TRY(train_state_commit(&s->base));
  if (s->adapter) ORR_TRY(orr_arena_commit(train_adapter_arena(s->adapter)));
  ORR_TRY(train_stage_commit(s->stage));
  ORR_TRY(orr_arena_commit(&s->exchange));
  ORR_TRY(orr_arena_commit(&s->results));
  ORR_TRY(place(s));
  ORR_TRY(orr_arena_check(&s->state.parameters));
  ORR_TRY(orr_arena_check(&s->state.gradients));
  ORR_TRY(orr_arena_check(&s->state.optimizer));
  ORR_TRY(train_stage_check(s->stage));
  ORR_TRY(orr_arena_check(&s->exchange));
  ORR_TRY(orr_arena_check(&s->results));
  ORR_TRY(train_axes_register(s->axes, &s->state.parameters));
  ORR_TRY(train_axes_register(s->axes, &s->state.gradients));
  ORR_TRY(train_axes_register(s->axes, &s->stage->exchange));
  return train_axes_commit(s->axes);
}

void train_step_leave_device(train_step *s, dist_world *w) {
  dist_world_give_up_device(w);
  train_capture_destroy(s->replay);
  s->replay = NULL;
  dist_world_leave_device(w);
}

void train_step_release(train_step *s) {
  train_fetch_destroy(s->fetch);
  train_gather_destroy(s->gather);
  train_reduce_destroy(s->reduce);
  train_ordered_destroy(s->ordered);
  train_capture_destroy(s->replay);
  train_stage_destroy(s->stage);
  train_timer_destroy(s->timer);
  orr_arena_release(&s->results);
  orr_arena_release(&s->exchange);
  train_adapter_destroy(s->adapter);
  s->adapter = NULL;
  if (s->base.k) train_state_release(&s->base);
  train_state_release(&s->state);
  s->fetch = NULL;
  s->gather = NULL;
  s->reduce = NULL;
  s->ordered = NULL;
  s->replay = NULL;
  s->stage = NULL;
  s->timer = NULL;
}

orr_code train_step_adapt(train_step *s, bool anew, bool base_too) {
  if (base_too) ORR_TRY(train_adapter_take_base(s->adapter));
  if (anew) {
    ORR_TRY(train_adapter_take_whole(s->adapter));
    ORR_TRY(train_state_average_is_weights(&s->state));
  }
  return train_adapter_merge(s->adapter);
}

// *sums (=) those of all replicas. Where steps are captured, all ranks take the largest of their
// shapes: they capture the same collectives in the same step, for NCCL may have its ranks talk to
// each other while it captures.
static orr_code share_sums(train_step *s, train_batch_sums *sums) {
  double v[2 + TRAIN_OUTCOMES + TRAIN_STAGE_MOST_SHAPES] = {sums->units, sums->bad};
  train_stage *stage = s->stage;
  const int64_t n = stage->outcomes;
  const int64_t shapes = s->capture && stage->shapes > 1 ? stage->shapes : 0;
  double *of_shape = v + 2 + n;
  memcpy(v + 2, sums->outcomes, (size_t)n * sizeof *v);
  if (shapes) of_shape[stage->shape] = 1.0;
  ORR_TRY(train_axes_host_sum(s->axes, DIST_AXIS_REPLICA, v, 2 + n + shapes));
  *sums = (train_batch_sums){.units = v[0], .bad = v[1]};
  memcpy(sums->outcomes, v + 2, (size_t)n * sizeof *v);
  int64_t largest = shapes - 1;
  while (largest > stage->shape && of_shape[largest] == 0.0) largest--;
  if (largest > stage->shape) stage->ops->widen(stage, largest);
  return ORR_OK;
}

// The batch and the step's scalars, to the device.
static orr_code send_inputs(train_step *s, const data_clip_batch *b, const train_step_request *q) {
  train_step_scalars x = {.bounds = {.loss = q->most_loss, .norm = q->most_norm}};
  train_profile *profile = s->axes->profile;
  train_batch_sums sums = {0};
  if (s->c->data.frames_start) s->stage->frames = train_schedule_frames(s->c, q->step);
  train_profile_enter(profile, TRAIN_PHASE_INPUT, "input", -1);
  if (!s->axes->planning) {
    ORR_TRY(train_timer_begin(s->timer));
    ORR_TRY(train_stage_prepare(s->stage, b, &sums));
  }
  train_profile_leave(profile);
  ORR_TRY(share_sums(s, &sums));
  x.bounds.units = sums.units;
  x.scale = sums.units > 0.0 ? (float)(1.0 / sums.units) : 0.0f;
  for (int i = 0; i < s->stage->outcomes; i++)
    if (sums.outcomes[i] > 0.0)
      x.outcome_scale[i] = (float)(s->stage->outcome_weight[i] / sums.outcomes[i]);
  // Whatever comes of such actions, of which some are dropped: no loss is accepted.
  if (sums.bad > 0.0) x.bounds.loss = -INFINITY;
  ORR_TRY(kern_adamw_rates_of(q->lr, s->c->optim.beta1, s->c->optim.beta2, q->step, &x.rates));
  s->issued[s->turn] = (train_issued){.step = q->step, .sums = sums, .fingerprint = q->fingerprint};
  s->fingerprint = q->fingerprint;
  train_reduce_fingerprint(s->reduce, q->fingerprint ? &s->totals->fingerprints.local : NULL);
  ORR_TRY(train_stage_send(s->stage, &x));
  return train_timer_end(s->timer, TRAIN_TIMED_INPUTS);
}

// Gradients from `first` on are final: also those of products that had no rows.
static orr_code ready(void *step, int64_t first) {
  train_step *s = step;
  ORR_TRY(train_products_settle(&s->state.products, &s->state.weights, first));
  return train_reduce_ready(s->reduce, first);
}

// Of an adapter: the gradients of the model's weights are made first, all of them on this rank.
static orr_code run_adapted(train_step *s) {
  train_state *m = &s->base;
  ORR_TRY(train_products_begin(&m->products, &m->weights, 0, m->params.total));
  for (int64_t micro = 0; micro < s->micros; micro++) {
    ORR_TRY(train_stage_run(s->stage, micro, NULL, s));
    ORR_TRY(train_products_settle(&m->products, &m->weights, 0));
  }
  ORR_TRY(train_reduce_begin(s->reduce, s->micros - 1, true));
  ORR_TRY(train_adapter_gradients(s->adapter));
  return train_reduce_finish(s->reduce);
}

// With run.exact a micro-batch is a group, with gradients of its own, and its leaves have losses of
// their own.
static void take_group(train_step *s, int64_t micro) {
  const int64_t leaves = TRAIN_EXACT_LEAVES, cp = s->axes->grid.cp,
                group = train_axes_clip(s->axes, s->clips, micro * s->micro) / s->micro;
  s->stage->loss_sum = s->exact.losses + group * leaves + (cp > 1 ? s->axes->grid.cp_i : 0);
  s->stage->outcome_sum = s->stage->loss_sum + s->exact.count;
  s->stage->outcome_stride = s->exact.count;
}

static orr_code run_micro(train_step *s, int64_t micro) {
  if (s->ordered) take_group(s, micro);
  ORR_TRY(train_reduce_begin(s->reduce, micro, micro + 1 == s->micros));
  if (train_reduce_wants(s->reduce)) {
    ORR_TRY(train_stage_run(s->stage, micro, ready, s));
    return train_reduce_finish(s->reduce);
  }
  ORR_TRY(train_stage_run(s->stage, micro, NULL, s));
  ORR_TRY(train_products_settle(&s->state.products, &s->state.weights, 0));
  return s->ordered ? train_ordered_end(s->ordered) : ORR_OK;
}

// All but one of the addends of a leaf's loss are zeros, so any order gives the one.
static orr_code add_losses(train_step *s) {
  const int64_t n = s->exact.count;
  ORR_TRY(train_axes_all_reduce(s->axes, DIST_AXIS_REPLICA, s->exact.losses, losses_of(s), DIST_F64,
                                DIST_SUM));
  ORR_TRY(kern_add_up(s->k,
                      &(kern_add_up_args){.n = n, .x = s->exact.losses, .sum = &s->totals->loss}));
  for (int64_t i = 0; i < s->stage->outcomes; i++)
    ORR_TRY(kern_add_up(s->k, &(kern_add_up_args){.n = n,
                                                  .x = s->exact.losses + (1 + i) * n,
                                                  .sum = &s->totals->outcomes[i]}));
  return ORR_OK;
}

// All ranks of tp have the same loss.
static orr_code make_gradients(train_step *s) {
  ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = s->totals, .bytes = sizeof *s->totals}));
  if (s->ordered)
    ORR_TRY(kern_fill(s->k,
                      &(kern_fill_args){.x = s->exact.losses,
                                        .bytes = (size_t)losses_of(s) * sizeof *s->exact.losses}));
  ORR_TRY(train_fetch_forget(s->fetch));
  if (s->adapter) ORR_TRY(run_adapted(s));
  for (int64_t micro = 0; !s->adapter && micro < s->micros; micro++) ORR_TRY(run_micro(s, micro));
  if (s->ordered) {
    ORR_TRY(add_losses(s));
    return train_timer_end(s->timer, TRAIN_TIMED_COMMUNICATION);
  }
  // The losses of the heads on registers follow the loss.
  ORR_TRY(train_axes_all_reduce(s->axes, DIST_AXIS_REPLICA, &s->totals->loss,
                                1 + s->stage->outcomes, DIST_F64, DIST_SUM));
  return train_timer_end(s->timer, TRAIN_TIMED_COMMUNICATION);
}

// Squares of the gradients, from what each rank counts to those of all.
static orr_code add_over_ranks(train_step *s, void *x, int64_t count, dist_dtype t) {
  const bool shared = train_state_shares_gradients(&s->state);
  if (shared && train_axes_size(s->axes, DIST_AXIS_COPIES) == 1)
    return train_axes_all_reduce(s->axes, DIST_AXIS_WORLD, x, count, t, DIST_SUM);
  ORR_TRY(train_axes_all_reduce(s->axes, DIST_AXIS_TP, x, count, t, DIST_SUM));
  if (!shared) return ORR_OK;
  return train_axes_all_reduce(s->axes, DIST_AXIS_SHARD, x, count, t, DIST_SUM);
}

static orr_code make_sumsq(train_step *s) {
  train_totals *t = s->totals;
  if (!s->ordered) {
    ORR_TRY(train_state_sumsq(&s->state, &t->sumsq));
    return add_over_ranks(s, &t->sumsq, 1, DIST_F64);
  }
  ORR_TRY(train_state_squares(&s->state, s->exact.squares));
  ORR_TRY(add_over_ranks(s, s->exact.squares, KERN_SQUARES_BINS, DIST_I64));
  return kern_squares_sum(
      s->k, &(kern_squares_sum_args){.count = 1, .bins = s->exact.squares, .sum = &t->sumsq});
}

static orr_code make_update(train_step *s) {
  const bool shared = s->state.shard.ranks > 1;
  train_totals *t = s->totals;
  const train_step_scalars *x = s->stage->scalars[TRAIN_INPUTS_ON_DEVICE];
  train_profile_enter(s->axes->profile, TRAIN_PHASE_OPTIMIZER, "optimizer", -1);
  ORR_TRY(make_sumsq(s));
  if (s->fingerprint)
    ORR_TRY(train_state_fingerprint_gradients(&s->state, &t->fingerprints.gradients));
  ORR_TRY(kern_clip(s->k, &(kern_clip_args){.sumsq = &t->sumsq,
                                            .loss_sum = &t->loss,
                                            .bounds = &x->bounds,
                                            .limit = s->c->optim.clip_norm,
                                            .out = &t->verdict}));
  ORR_TRY(train_fetch_forget(s->fetch));
  ORR_TRY(train_state_update(&s->state, s->c, &x->rates, &t->verdict,
                             shared ? train_gather_bucket : NULL, s->gather));
  if (s->fingerprint) ORR_TRY(train_state_fingerprint_weights(&s->state, &t->fingerprints.weights));
  ORR_TRY(train_timer_end(s->timer, TRAIN_TIMED_OPTIMIZER));
  ORR_TRY(train_gather_finish(s->gather));
  if (s->adapter) ORR_TRY(train_adapter_merge(s->adapter));
  train_profile_leave(s->axes->profile);
  return train_timer_end(s->timer, TRAIN_TIMED_COMMUNICATION);
}

static orr_code make_both(void *step) {
  ORR_TRY(make_gradients(step));
  return make_update(step);
}

static orr_code send_results(train_step *s) {
  if (s->axes->planning) return ORR_OK;
  ORR_TRY(kern_copy(s->k, &(kern_copy_args){.dst = s->result[s->turn],
                                            .src = s->totals,
                                            .bytes = sizeof *s->totals,
                                            .way = KERN_COPY_OUT}));
  ORR_TRY(kern_mark(s->k, TRAIN_MARK_RESULTS + s->turn));
  s->turn ^= 1;
  return ORR_OK;
}

orr_code train_step_gradients(train_step *s, const data_clip_batch *b,
                              const train_step_request *q) {
  ORR_TRY(send_inputs(s, b, q));
  return make_gradients(s);
}

orr_code train_step_update(train_step *s) {
  ORR_TRY(make_update(s));
  return send_results(s);
}

static orr_code capture_or_replay(train_step *s) {
  const int64_t which = s->stage->shape + (s->fingerprint ? s->stage->shapes : 0),
                shape = 2 * which + train_timer_set(s->timer);
  if (train_capture_has(s->replay, shape)) train_timer_replayed(s->timer);
  return train_capture_run(s->replay, shape, make_both, s);
}

orr_code train_step_run(train_step *s, const data_clip_batch *b, const train_step_request *q) {
  ORR_TRY(send_inputs(s, b, q));
  ORR_TRY(s->capture ? capture_or_replay(s) : make_both(s));
  return send_results(s);
}

orr_code train_step_results(train_step *s, train_step_result *out) {
  const train_totals *t = s->result[s->taken];
  const train_issued *of = &s->issued[s->taken];
  ORR_TRY(train_axes_await(s->axes, s->k, TRAIN_MARK_RESULTS + s->taken));
  *out = (train_step_result){.step = of->step,
                             .loss = of->sums.units > 0.0 ? t->loss / of->sums.units : 0.0,
                             .grad_norm = sqrt(t->sumsq),
                             .skipped = t->verdict.skip != 0,
                             .bad_clips = (int64_t)of->sums.bad};
  for (int i = 0; i < TRAIN_OUTCOMES; i++)
    out->outcomes[i] = of->sums.outcomes[i] > 0.0 ? t->outcomes[i] / of->sums.outcomes[i] : NAN;
  if (of->fingerprint) out->fingerprints = t->fingerprints;
  // One replica's gradients are nobody's sum.
  if (of->fingerprint && train_axes_size(s->axes, DIST_AXIS_REPLICA) == 1)
    out->fingerprints.local = out->fingerprints.gradients;
  s->taken ^= 1;
  return train_timer_read(s->timer, out->timed_ms);
}

orr_code train_step_weights(train_step *s, uint64_t *out) {
  uint64_t *sum = &s->totals->fingerprints.weights,
           *copy = &s->result[s->turn]->fingerprints.weights;
  ORR_TRY(train_state_fingerprint_weights(&s->state, sum));
  ORR_TRY(kern_copy(
      s->k,
      &(kern_copy_args){.dst = copy, .src = sum, .bytes = sizeof *sum, .way = KERN_COPY_OUT}));
  ORR_TRY(train_axes_sync(s->axes, s->k));
  *out = *copy;
  return ORR_OK;
}

orr_code train_step_vote(train_step *s, train_step_votes *votes) {
  return train_axes_host_sum(s->axes, DIST_AXIS_WORLD, (double *)votes,
                             sizeof *votes / sizeof(double));
}
