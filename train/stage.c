#include "train/stage.h"

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

void train_stage_destroy(train_stage *s) {
  if (s) s->table->destroy(s);
}
