#include "train/world_model.h"

orr_code train_world_model_open(const train_args *a, const char *checkpoint, train_world_model *m) {
  int64_t threads = 0;
  const bool ema = !train_args_flag(a, "no-ema");
  ORR_TRY(train_args_i64(a, "threads", 0, 4096, &threads));
  ORR_TRY(train_kern_open(train_args_text(a, "device", "auto"), (int)threads, &m->k));
  ORR_TRY(train_trained_open(checkpoint, CFG_STAGE_DYNAMICS, ema, m->k, &m->dynamics));
  const char *tokenizer = train_args_text(a, "tokenizer", m->dynamics->c->tokenizer.checkpoint);
  ORR_CHECK(tokenizer[0], ORR_ECONFIG,
            "%s does not name its tokenizer: give --tokenizer CHECKPOINT", m->dynamics->path);
  return train_trained_open(tokenizer, CFG_STAGE_TOKENIZER, true, m->k, &m->tokenizer);
}

void train_world_model_close(train_world_model *m) {
  train_trained_close(m->tokenizer);
  train_trained_close(m->dynamics);
  kern_destroy(m->k);
}
