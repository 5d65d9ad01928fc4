#include "train/stage.h"

#include "base/mem.h"
#include "train/tokenizer.h"

orr_code train_stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                            int64_t clips, int64_t micro, train_stage **out) {
  ORR_CHECK(clips % micro == 0, ORR_ECONFIG,
            "train.micro_batch %lld does not divide the %lld clips of a rank: choose a divisor, or "
            "0 for all at once",
            (long long)micro, (long long)clips);
  return c->train.stage == CFG_STAGE_TOKENIZER
             ? train_stage_tokenizer_create(k, c, axes, state, clips, micro, out)
             : train_stage_dynamics_create(k, c, axes, state, clips, micro, out);
}

orr_code train_stage_list(const cfg *c, train_axes *axes, train_params *out) {
  orr_code rc;
  train_params_init(out);
  if (c->train.stage == CFG_STAGE_TOKENIZER) {
    train_tokenizer_dims d;
    train_tokenizer_params p = {0};
    train_tokenizer_dims_from(c, &d);
    rc = train_tokenizer_list(&d, out, &p);
    orr_free(p.enc);
  } else {
    train_dynamics_dims d;
    train_dynamics_params p = {0};
    train_dynamics_dims_from(c, &d);
    d.block.axes = axes;
    rc = train_dynamics_list(&d, out, &p);
    orr_free(p.blocks);
  }
  return rc;
}

void train_stage_destroy(train_stage *s) {
  if (s) s->table->destroy(s);
}

void train_stage_init(train_stage *s, const train_stage_table *table, kern *k, const cfg *c,
                      train_axes *axes, train_state *state, int64_t clips, int64_t micro) {
  *s = (train_stage){
      .table = table, .k = k, .c = c, .axes = axes, .state = state, .clips = clips, .micro = micro};
  orr_arena_init(&s->activations, "activations");
  orr_arena_init(&s->exchange, "communication");
  orr_arena_init(&s->inputs, "inputs");
}

void train_stage_release(train_stage *s) {
  orr_arena_release(&s->inputs);
  orr_arena_release(&s->exchange);
  orr_arena_release(&s->activations);
}
