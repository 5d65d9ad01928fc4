#include "train/step/stage.h"

#include <inttypes.h>

#include "base/mem.h"
#include "train/step/adapter.h"
#include "train/timing/marks.h"

static const train_stage_ops *ops_of(const cfg *c) {
#define ROW(knob, NAME, word) [CFG_STAGE_##NAME] = &train_stage_##word,
  static const train_stage_ops *const stages[] = {CFG_CHOICES_STAGE(ROW)};
#undef ROW
  return stages[c->train.stage];
}

orr_code train_stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                            int64_t clips, int64_t micro, train_stage **out) {
  ORR_CHECK(clips % micro == 0, ORR_ECONFIG,
            "train.micro_batch %" PRId64 " does not divide the %" PRId64
            " clips of a rank: choose a divisor, or "
            "0 for all at once",
            micro, clips);
  return ops_of(c)->create(k, c, axes, state, clips, micro, out);
}

orr_code train_stage_list_model(const cfg *c, train_axes *axes, train_params *out) {
  train_params_init(out);
  out->segment_unit = train_state_segment_unit(c, axes);
  ORR_TRY(ops_of(c)->list(c, axes, out));
  if (out->segment_unit) train_params_pad(out, out->segment_unit);
  return ORR_OK;
}

orr_code train_stage_list(const cfg *c, train_axes *axes, train_params *out) {
  train_params model;
  if (!train_adapter_is_on(c)) return train_stage_list_model(c, axes, out);
  train_params_init(out);
  orr_code rc = train_stage_list_model(c, axes, &model);
  if (rc == ORR_OK) rc = train_adapter_list(c, &model, axes, out);
  train_params_release(&model);
  return rc;
}

void train_stage_destroy(train_stage *s) {
  if (s) s->ops->destroy(s);
}

void train_stage_init(train_stage *s, const train_stage_ops *ops, kern *k, const cfg *c,
                      train_axes *axes, train_state *state, int64_t clips, int64_t micro) {
  *s = (train_stage){.ops = ops,
                     .k = k,
                     .c = c,
                     .axes = axes,
                     .state = state,
                     .clips = clips,
                     .micro = micro,
                     .shapes = 1};
  kern_arena_init(k, &s->activations, "activations");
  kern_arena_init(k, &s->exchange, "communication");
  kern_arena_init(k, &s->inputs, "inputs");
  for (int i = 0; i < 2; i++) kern_arena_init_pinned(k, &s->staging[i], "staged inputs");
}

void train_stage_release(train_stage *s) {
  for (int i = 0; i < 2; i++) orr_arena_release(&s->staging[i]);
  orr_arena_release(&s->inputs);
  orr_arena_release(&s->exchange);
  orr_arena_release(&s->activations);
}

orr_code train_stage_place(train_stage *s) {
  for (int set = 0; set < TRAIN_INPUT_SETS; set++) {
    orr_arena *arena = set == TRAIN_INPUTS_ON_DEVICE ? &s->inputs : &s->staging[set];
    s->scalars[set] = orr_arena_take(arena, sizeof **s->scalars);
    s->ops->place_inputs(s, arena, set);
  }
  return s->ops->place(s);
}

orr_code train_stage_commit(train_stage *s) {
  ORR_TRY(orr_arena_commit(&s->activations));
  ORR_TRY(orr_arena_commit(&s->exchange));
  ORR_TRY(orr_arena_commit(&s->inputs));
  ORR_TRY(orr_arena_commit(&s->staging[0]));
  return orr_arena_commit(&s->staging[1]);
}

orr_code train_stage_check(const train_stage *s) {
  ORR_TRY(orr_arena_check(&s->activations));
  ORR_TRY(orr_arena_check(&s->exchange));
  ORR_TRY(orr_arena_check(&s->inputs));
  ORR_TRY(orr_arena_check(&s->staging[0]));
  return orr_arena_check(&s->staging[1]);
}

orr_code train_stage_prepare(train_stage *s, const data_clip_batch *b, train_batch_sums *sums) {
  ORR_TRY(kern_await(s->k, TRAIN_MARK_INPUTS + s->turn));
  return s->ops->prepare(s, b, sums);
}

orr_code train_stage_send(train_stage *s, const train_step_scalars *scalars) {
  const orr_arena *from = &s->staging[s->turn];
  if (s->k->planning) return ORR_OK;
  *s->scalars[s->turn] = *scalars;
  ORR_TRY(kern_copy(s->k, &(kern_copy_args){.dst = s->inputs.base,
                                            .src = from->base,
                                            .bytes = from->used,
                                            .way = KERN_COPY_IN}));
  ORR_TRY(kern_mark(s->k, TRAIN_MARK_INPUTS + s->turn));
  s->turn ^= 1;
  return ORR_OK;
}

orr_code train_stage_run(train_stage *s, int64_t micro, train_grad_ready_fn ready, void *ctx) {
  train_profile *profile = s->axes->profile;
  train_profile_enter(profile, TRAIN_PHASE_FORWARD, "forward", -1);
  ORR_TRY(s->ops->forward(s, micro));
  ORR_TRY(train_timer_end(s->timer, TRAIN_TIMED_FORWARD));
  train_profile_leave(profile);
  train_profile_enter(profile, TRAIN_PHASE_BACKWARD, "loss and backward", -1);
  ORR_TRY(s->ops->backward(s, micro, ready, ctx));
  train_profile_leave(profile);
  return train_timer_end(s->timer, TRAIN_TIMED_BACKWARD);
}
