#include "train/stage.h"

orr_code train_stage_create(kern *k, const cfg *c, train_state *state, int64_t clips, int64_t micro,
                            train_stage **out) {
  ORR_CHECK(clips % micro == 0, ORR_ECONFIG,
            "train.micro_batch %lld does not divide the %lld clips of a rank: choose a divisor, or "
            "0 for all at once",
            (long long)micro, (long long)clips);
  return c->train.stage == CFG_STAGE_TOKENIZER
             ? train_stage_tokenizer_create(k, c, state, clips, micro, out)
             : train_stage_dynamics_create(k, c, state, clips, micro, out);
}

orr_code train_stage_commit(train_stage *s) {
  train_state_place(s->state);
  s->table->place(s);
  ORR_TRY(s->table->run(s, 0, 1.0f, NULL, NULL)); // the kern is planning: nothing is touched
  ORR_TRY(kern_commit(s->k));
  ORR_TRY(train_state_commit(s->state));
  ORR_TRY(orr_arena_commit(&s->activations));
  ORR_TRY(orr_arena_commit(&s->inputs));
  train_state_place(s->state);
  s->table->place(s);
  ORR_TRY(orr_arena_check(&s->state->parameters));
  ORR_TRY(orr_arena_check(&s->state->gradients));
  ORR_TRY(orr_arena_check(&s->state->optimizer));
  ORR_TRY(orr_arena_check(&s->activations));
  s->loss_sum = 0.0;
  return orr_arena_check(&s->inputs);
}

void train_stage_destroy(train_stage *s) {
  if (s) s->table->destroy(s);
}
